import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { CodedError } from '#contracts';

const TAKES = 'fieldline:takes';

/** Media types that are streamed: no parser touches them, the route that takes them reads the request itself. */
const STREAMED_TYPES = ['text/csv', 'application/x-ndjson', 'application/jsonl', 'application/octet-stream'] as const;
export type StreamedType = (typeof STREAMED_TYPES)[number];

/** This route reads a body of one of these media types itself, and takes no other. */
export const Takes = (...types: StreamedType[]): MethodDecorator => SetMetadata(TAKES, types);

/** The media type of a request in lower case, without parameters; empty if it names none. */
export const mediaTypeOf = ({ headers }: Pick<IncomingMessage, 'headers'>): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

type Typed = Pick<IncomingMessage, 'headers' | 'url'>;

/** Devices of ThingsBoard's device API send JSON, whatever they call it. */
const JSON_WHATEVER_IT_SAYS = /^\/api\/v1\//i;
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/i;

const isJsonAnyway = ({ url }: Typed): boolean => JSON_WHATEVER_IT_SAYS.test(url ?? '');

/** Is this a body that no parser is to touch? */
export const isStreamed = (request: Typed): boolean =>
  !isJsonAnyway(request) && STREAMED_TYPES.some((type) => type === mediaTypeOf(request));

/** Is this a body that is read as JSON? Devices that send one with GET, as the debug provisioning of old ones does, seldom name its type. */
export const isJson = (request: Typed & Pick<IncomingMessage, 'method'>): boolean =>
  request.method === 'GET' || isJsonAnyway(request) || JSON_TYPE.test(request.headers['content-type'] ?? '');

/** Keeps streamed bodies from routes that take JSON, and others from the routes that take those. Throws `UNSUPPORTED_MEDIA_TYPE`. */
@Injectable()
export class MediaTypeGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<Request>();
    const taken = this.reflector.get<StreamedType[] | undefined>(TAKES, context.getHandler());
    const isTaken = taken
      ? taken.some((type) => type === mediaTypeOf(request))
      : request.method === 'GET' || !isStreamed(request);
    if (isTaken) return true;
    throw unsupportedMediaType(request, taken ?? ['application/json']);
  }
}

/** What to say of a body that is not taken. */
export const unsupportedMediaType = (
  { headers }: Pick<IncomingMessage, 'headers'>,
  taken: readonly string[],
): CodedError => {
  const type = headers['content-type'];
  return new CodedError(
    'UNSUPPORTED_MEDIA_TYPE',
    `The body must be ${taken.map((name) => `"Content-Type: ${name}"`).join(' or ')}; this one says ${type === undefined ? 'nothing' : `"${type}"`}.`,
  );
};
