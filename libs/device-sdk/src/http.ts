import { CodedError, type ErrorIssue } from '#contracts';
import { z } from 'zod';

const Problem = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** Asks the platform; throws a CodedError for a refusal that it names, an Error for anything else that is not a 2xx. */
export async function ask<T>(reply: z.ZodType<T>, url: string, init: RequestInit = {}): Promise<T> {
  const response = await request(url, init);
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refusalOf(url, response, body);
  const parsed = reply.safeParse(body);
  if (!parsed.success) throw new Error(`${url} gave an answer of another shape: is it a Fieldline platform?`);
  return parsed.data;
}

/** The body and headers of a POST of JSON. */
export const jsonPost = (body: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`No connection to ${url}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      cause: error,
    });
  }
}

function refusalOf(url: string, response: Response, body: unknown): Error {
  const problem = Problem.safeParse(body).data;
  const retryAfter = Number(response.headers.get('retry-after'));
  const errors: ErrorIssue[] | undefined = problem?.errors;
  const message = problem?.detail ?? problem?.title ?? `${url} answered ${response.status}.`;
  const wire = { code: problem?.code, message, errors, retryAfterMs: retryAfter > 0 ? retryAfter * 1_000 : undefined };
  return CodedError.from(wire) ?? new Error(message);
}
