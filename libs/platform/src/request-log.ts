import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { pinoHttp, type HttpLogger } from 'pino-http';

/** Express keeps the whole path of a request in `originalUrl`. */
type LoggedRequest = IncomingMessage & { originalUrl?: string };

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;
const QUIET = /^\/(?:health|metrics)\b/;

/** The path of a request as it may be logged: no query, and no access token of `/api/v1/{accessToken}/...`. */
export const loggablePath = (url: string): string =>
  url.replace(/[?#].*$/s, '').replace(/^\/api\/v1\/[^/]+/, '/api/v1/***');

/** One line a request, with its id (from `X-Request-Id`, or made here), which is also sent back. */
export const requestLog = (logger: Logger): HttpLogger<LoggedRequest, ServerResponse> =>
  pinoHttp<LoggedRequest>({
    logger,
    genReqId: (request, response) => {
      const given = request.headers['x-request-id'];
      const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
      response.setHeader('X-Request-Id', id);
      return id;
    },
    autoLogging: { ignore: (request) => QUIET.test(request.url ?? '') },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'info'),
    customSuccessMessage: line,
    customErrorMessage: line,
    customAttributeKeys: { responseTime: 'ms', reqId: 'requestId' },
    quietReqLogger: true,
    serializers: { req: () => undefined, res: () => undefined },
  });

const line = (request: LoggedRequest, response: ServerResponse): string =>
  `${request.method ?? '?'} ${loggablePath(request.originalUrl ?? request.url ?? '')} ${String(response.statusCode)}`;
