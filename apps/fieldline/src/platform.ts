import { request as overHttp, type IncomingMessage } from 'node:http';
import { request as overHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { JobView, pageOf } from '#contracts';
import type { GetToken } from '#device-sdk';
import type { FileFormat } from './config.ts';

/** How long the platform may take to begin an answer, in ms. */
const PATIENCE_MS = 30_000;
/** Devices of one page. */
const PAGE = 500;

const MEDIA_TYPES: Record<FileFormat, string> = { csv: 'text/csv', ndjson: 'application/x-ndjson' };

const Problem = z.object({ code: z.string().optional(), detail: z.string() });
const Started = z.object({ id: z.uuid() });

/** A device as lists show it. */
const Device = z.object({
  id: z.uuid(),
  name: z.string(),
  kind: z.string(),
  state: z.string(),
  macAddress: z.string().nullable(),
  serial: z.string().nullable(),
});
export type Device = z.output<typeof Device>;
const DevicePage = pageOf(Device);

/** A row that failed. */
const RowError = z.object({
  line: z.number(),
  field: z.string().nullable(),
  code: z.string(),
  message: z.string(),
});
export type RowError = z.output<typeof RowError>;

/** The platform said no; the message is its own. */
export class Refusal extends Error {}

/** A file that is sent; `bytes` is undefined for one whose end is not known. */
export interface Upload {
  content: Readable;
  bytes: number | undefined;
  format: FileFormat;
}

/** The platform as a person sees it. Everything throws a {@link Refusal}, or an Error when no answer came. */
export class Platform {
  constructor(
    private readonly url: string,
    private readonly getToken: GetToken,
  ) {}

  /** Sends a file; gives the id of the import once the platform has the whole of it. */
  async upload({ content, bytes, format }: Upload): Promise<string> {
    const token = await this.getToken();
    const address = new URL(`${this.url}/api/provisioning/jobs`);
    const sent = (address.protocol === 'https:' ? overHttps : overHttp)(address, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': MEDIA_TYPES[format],
        ...(bytes === undefined ? {} : { 'content-length': bytes }),
      },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).on('error', reject);
    });
    pipeline(content, sent).catch(() => undefined);
    const reply = await answered.catch((error: unknown) => {
      throw noConnection(this.url, error);
    });
    const body = await text(reply);
    content.destroy();
    if (reply.statusCode !== 202) throw refusalOf(reply.statusCode ?? 0, body);
    return Started.parse(JSON.parse(body)).id;
  }

  async job(id: string): Promise<JobView> {
    return JobView.parse(await (await this.get(`/api/provisioning/jobs/${id}`)).json());
  }

  /** The first rows that failed, in the order of the file. */
  async firstErrors(id: string, count: number): Promise<RowError[]> {
    const errors: RowError[] = [];
    const response = await this.get(`/api/provisioning/jobs/${id}/errors?format=ndjson`);
    let rest = '';
    const decoder = new TextDecoder();
    for await (const part of bytesOf(response)) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) errors.push(RowError.parse(JSON.parse(line)));
      if (errors.length >= count) break;
    }
    return errors.slice(0, count);
  }

  /** All rows that failed, as CSV. */
  async errorFile(id: string): Promise<AsyncIterable<Uint8Array>> {
    return bytesOf(await this.get(`/api/provisioning/jobs/${id}/errors`));
  }

  /** Devices in the order of their names, a page at a time. */
  async *devices(q: string | undefined): AsyncGenerator<Device[]> {
    let cursor: string | null = '';
    while (cursor !== null) {
      const query = new URLSearchParams({ sort: 'name', limit: String(PAGE) });
      if (q !== undefined) query.set('q', q);
      if (cursor !== '') query.set('cursor', cursor);
      const page: z.output<typeof DevicePage> = DevicePage.parse(
        await (await this.get(`/api/devices?${query.toString()}`)).json(),
      );
      yield page.items;
      cursor = page.nextCursor;
    }
  }

  /** With a new token if the one at hand has expired. */
  private async get(path: string): Promise<Response> {
    const token = await this.getToken();
    const response = await this.ask(path, token);
    if (response.status !== 401) return succeeded(response);
    const renewed = await this.getToken(token);
    return succeeded(renewed === token ? response : await this.ask(path, renewed));
  }

  private async ask(path: string, token: string): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new Error(`no answer within ${String(PATIENCE_MS)} ms`));
    }, PATIENCE_MS);
    try {
      return await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: late.signal });
    } catch (error) {
      throw noConnection(this.url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function* bytesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  for await (const part of body ?? []) yield z.instanceof(Uint8Array).parse(part);
}

async function succeeded(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw refusalOf(response.status, await response.text());
}

function refusalOf(status: number, body: string): Error {
  const problem = Problem.safeParse(jsonOf(body)).data;
  const words = problem?.detail ?? 'is this a Fieldline platform?';
  const name = problem?.code ?? String(status);
  return status >= 500 ? new Error(`${name}: ${words}`) : new Refusal(`${name}: ${words}`);
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function noConnection(url: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new Error(`No connection to ${url}: ${reason}.`, { cause: error });
}
