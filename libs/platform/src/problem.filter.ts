import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { throwError } from 'rxjs';
import { ZodError } from 'zod';
import { CodedError, ERRORS, LIMITS, type ErrorCode } from '#contracts';
import type { ErrorShape, ErrorShapes } from './error-shapes.ts';
import { issuesOf } from './validation.ts';

const CODE_OF_STATUS: Record<number, ErrorCode> = {
  400: 'INVALID_INPUT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  422: 'INVALID_INPUT',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
};

/** The coded error that stands for whatever was thrown. */
export function toCoded(thrown: unknown): CodedError {
  const coded = CodedError.from(thrown);
  if (coded) return coded;
  if (thrown instanceof ZodError) {
    return new CodedError('INVALID_INPUT', 'The input is not valid.', { errors: issuesOf(thrown.issues) });
  }
  if (thrown instanceof HttpException) return ofHttp(thrown);
  if (isHttpError(thrown)) return ofStatus(thrown.status, thrown.message, thrown);
  const outage = outageOf(thrown);
  if (outage !== undefined) {
    return new CodedError('UNAVAILABLE', outage, { retryAfterMs: OUTAGE_RETRY_MS, cause: thrown });
  }
  return new CodedError('INTERNAL', 'Something went wrong on our side; the log has the details.', { cause: thrown });
}

function ofHttp(thrown: HttpException): CodedError {
  const status = thrown.getStatus();
  if (status === 400 && isBodyParserError(thrown)) {
    return new CodedError('MALFORMED_JSON', 'The body is not valid JSON.', { cause: thrown });
  }
  return ofStatus(status, thrown.message, thrown);
}

function ofStatus(status: number, message: string, cause: Error): CodedError {
  const code = CODE_OF_STATUS[status] ?? 'INTERNAL';
  const detail = code === 'BODY_TOO_LARGE' ? `The body may have at most ${String(LIMITS.bodyBytes)} bytes.` : message;
  return new CodedError(code, detail, { cause });
}

/** The body parser's errors carry the status they stand for. */
const isHttpError = (thrown: unknown): thrown is Error & { status: number } =>
  thrown instanceof Error && 'expose' in thrown && 'status' in thrown && typeof thrown.status === 'number';

/** When to try again while a database or another server is away, or the disk is full, in ms. */
const OUTAGE_RETRY_MS = 2_000;
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'ER_SERVER_SHUTDOWN',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR',
]);

/** SQLite's result codes for a full disk and for one that fails to read, write or sync. */
const DISK_CODES = /^SQLITE_(FULL|IOERR)/;

/** What keeps this service from its work just now, if that is the reason of an error. */
function outageOf(thrown: unknown): string | undefined {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';
  if (CONNECTION_CODES.has(code)) return 'Something that this service needs is away just now; try again.';
  if (DISK_CODES.test(code)) {
    return 'The disk that holds the data is full or failing: it needs free space or a repair; then try again.';
  }
  return undefined;
}

/** Nest wraps what the body parser throws, with the parser's own words as its message. */
const isBodyParserError = (thrown: HttpException): boolean =>
  /JSON|Unexpected|Expected|Unterminated|Bad control|Bad escaped/.test(thrown.message);

/** The problem document (RFC 9457) of an error. */
export const problemOf = (error: CodedError): Record<string, unknown> => ({
  type: `urn:fieldline:problem:${error.code}`,
  title: ERRORS[error.code].title,
  status: error.status,
  detail: error.message,
  code: error.code,
  ...(error.errors ? { errors: error.errors } : {}),
  ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
});

/** Turns every error into a problem document (or what the path has in its place), or into its wire form for a request between services. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: Logger,
    private readonly shapes: ErrorShapes,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): unknown {
    const error = toCoded(thrown);
    if (error.code === 'INTERNAL') this.log.error({ err: thrown }, 'an error that nobody expected');
    const outage = outageOf(thrown);
    if (outage !== undefined) this.log.warn({ err: thrown }, outage);
    if (host.getType() === 'rpc') return throwError(() => error.toBody());
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    send(request, http.getResponse<Response>(), error, this.shapes.of(request.path));
    return undefined;
  }
}

function send(request: Request, response: Response, error: CodedError, shape: ErrorShape | undefined): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = shape ? shape(error) : { status: error.status, body: problemOf(error) };
  const retryAfterMs = error.retryAfterMs ?? (status === 503 ? OUTAGE_RETRY_MS : undefined);
  if (retryAfterMs !== undefined) response.setHeader('Retry-After', Math.ceil(retryAfterMs / 1000));
  if (status === 401 && !response.hasHeader('WWW-Authenticate')) response.setHeader('WWW-Authenticate', 'Bearer');
  if (!request.complete) response.setHeader('Connection', 'close');
  response.status(status);
  if (body === null) response.end();
  else response.type(shape ? 'application/json' : 'application/problem+json').send(JSON.stringify(body));
}
