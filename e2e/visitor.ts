import { request, type IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { House } from './house.ts';

/** What came back of a request. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The text as JSON; undefined if it is none. */
  body: unknown;
  /** The code of a problem document. */
  code: string | undefined;
}

/** What goes along with a request, or in place of a body as JSON. */
export interface Sending {
  headers?: Record<string, string>;
  /** Sent as it stands instead of as JSON. */
  raw?: string | Uint8Array<ArrayBuffer>;
}

/** Somebody who calls the API over HTTP, with a token or without. */
export class Visitor {
  constructor(
    readonly house: House,
    readonly token?: string,
  ) {
    if (token !== undefined) house.secrets.add(token);
  }

  get(path: string, sending?: Sending): Promise<Answer> {
    return this.call('GET', path, undefined, sending);
  }

  post(path: string, body?: unknown, sending?: Sending): Promise<Answer> {
    return this.call('POST', path, body, sending);
  }

  patch(path: string, body: unknown, sending?: Sending): Promise<Answer> {
    return this.call('PATCH', path, body, sending);
  }

  delete(path: string, sending?: Sending): Promise<Answer> {
    return this.call('DELETE', path, undefined, sending);
  }

  /** Any method; a `path` that begins with `http` goes there instead of to the house. */
  async call(method: string, path: string, body?: unknown, { headers, raw }: Sending = {}): Promise<Answer> {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(path.startsWith('http') ? path : `${this.house.url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
    });
    return answerOf(response.status, response.headers, await response.text());
  }
}

/** A GET that has a body, which `fetch` does not send. */
export function getWithBody(url: string, body: unknown): Promise<Answer> {
  const content = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'GET', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(answerOf(response.statusCode ?? 0, headersOf(response.headers), text)));
    });
    sent.on('error', reject).end(content);
  });
}

/** The part of an answer that matters; throws with the whole of it if it does not have the shape. */
export function read<T extends z.ZodType>(answer: Answer, shape: T): z.output<T> {
  const parsed = shape.safeParse(answer.body);
  if (parsed.success && answer.status < 300) return parsed.data;
  throw new Error(`not what was expected: ${answer.status} ${answer.text.slice(0, 2_000)}`);
}

function answerOf(status: number, headers: Headers, text: string): Answer {
  const body = jsonOf(text);
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
  return { status, headers, text, body, code: typeof code === 'string' ? code : undefined };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const headersOf = (headers: IncomingHttpHeaders): Headers =>
  new Headers(Object.entries(headers).map(([name, value]) => [name, String(value)]));
