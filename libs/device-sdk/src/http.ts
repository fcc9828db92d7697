import { CodedError, type ErrorIssue } from '#contracts';
import { z } from 'zod';
import type { DeviceCredentials } from './link/credentials.ts';

const Problem = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** What came back of a request. */
export interface Reply {
  url: string;
  status: number;
  ok: boolean;
  /** JSON; undefined if it is none. */
  body: unknown;
  /** What `Retry-After` asks for. */
  retryAfterMs?: number;
}

/** A refusal that has no code which this version of the SDK knows. */
export class HttpFailure extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly retryAfterMs?: number,
  ) {
    super(message);
    this.name = 'HttpFailure';
  }
}

/** Asks the platform; throws a CodedError for a refusal that it names, an HttpFailure for others, an Error when no answer came. */
export async function ask<T>(shape: z.ZodType<T>, url: string, init: RequestInit = {}): Promise<T> {
  const reply = await request(url, init);
  if (!reply.ok) throw refusalOf(reply);
  return readReply(shape, reply);
}

/** Sends a request and reads the whole answer, whatever it is; throws an Error when none came. */
export async function request(url: string, init: RequestInit = {}): Promise<Reply> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) });
    const text = await response.text();
    const { status, ok, headers } = response;
    return { url, status, ok, body: jsonOf(text), retryAfterMs: retryAfterOf(headers) };
  } catch (error) {
    throw failureOf(url, error);
  }
}

/** What a failed request is thrown as: refusals as they are, anything else as a connection that there is not. */
export function failureOf(url: string, error: unknown): Error {
  if (error instanceof CodedError || error instanceof HttpFailure) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new Error(`No connection to ${url}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
    cause: error,
  });
}

/** Reads what an answer refuses with. */
export async function refusalOfResponse(url: string, response: Response): Promise<Error> {
  const { status, ok, headers } = response;
  const body = jsonOf(await response.text());
  return refusalOf({ url, status, ok, body, retryAfterMs: retryAfterOf(headers) });
}

/** The part of an answer that matters. */
export function readReply<T>(shape: z.ZodType<T>, { url, body }: Reply): T {
  const parsed = shape.safeParse(body);
  if (!parsed.success) throw new Error(`${url} gave an answer of another shape: is it a Fieldline platform?`);
  return parsed.data;
}

/** The error that an answer stands for. */
export function refusalOf({ url, status, body, retryAfterMs }: Reply): Error {
  const problem = Problem.safeParse(body).data;
  const errors: ErrorIssue[] | undefined = problem?.errors;
  const message = problem?.detail ?? problem?.title ?? `${url} answered ${status}.`;
  const coded = CodedError.from({ code: problem?.code, message, errors, retryAfterMs });
  return coded ?? new HttpFailure(message, status, retryAfterMs);
}

/** The body and headers of a POST of JSON. */
export const jsonPost = (body: object, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** The header that shows a token. */
export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** The header that shows a device's credentials. */
export function showing(credentials: DeviceCredentials | undefined): Record<string, string> {
  if (!credentials) return {};
  if ('token' in credentials) return bearer(credentials.token);
  const { userName, password } = credentials;
  return { authorization: `Basic ${Buffer.from(`${userName}:${password}`).toString('base64')}` };
}

/** The address of a path of the platform. */
export const at = (url: string, path: string): string => `${url.replace(/\/+$/, '')}${path}`;

function retryAfterOf(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after'));
  return seconds > 0 ? seconds * 1_000 : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
