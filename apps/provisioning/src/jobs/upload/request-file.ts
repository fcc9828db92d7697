import type { IncomingMessage } from 'node:http';
import { CodedError } from '#contracts';
import { mediaTypeOf, streamedBody } from '#platform';

export type FileFormat = 'csv' | 'ndjson';

export const UPLOAD_CUT_OFF =
  'The upload ended early: send the file again from its beginning; devices that are there already stay as they are.';

/** The format of a file that is being sent. Throws `UNSUPPORTED_MEDIA_TYPE` for a compressed one, or one in another encoding than UTF-8. */
export function formatOf(request: Pick<IncomingMessage, 'headers'>): FileFormat {
  const { 'content-encoding': encoding = 'identity', 'content-type': type = '' } = request.headers;
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new CodedError('UNSUPPORTED_MEDIA_TYPE', `Send the file as it is, without "Content-Encoding: ${encoding}".`);
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1];
  if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset)) {
    throw new CodedError('UNSUPPORTED_MEDIA_TYPE', `Send the file in UTF-8; its Content-Type says "${charset}".`);
  }
  return mediaTypeOf(request) === 'text/csv' ? 'csv' : 'ndjson';
}

/** The file of a request as it comes in. Throws `UPLOAD_CUT_OFF` when the client is gone or silent before its end. */
export const bodyOf = (request: IncomingMessage): AsyncGenerator<Buffer> => streamedBody(request, UPLOAD_CUT_OFF);
