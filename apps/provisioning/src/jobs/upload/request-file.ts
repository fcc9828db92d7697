import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '#contracts';
import { mediaTypeOf } from '#platform';

export type FileFormat = 'csv' | 'ndjson';

/** How long a client may send nothing, in ms. */
const IDLE_MS = 60_000;
/** How long what a refused client still sends is thrown away, so that it gets to read why, in ms. */
const LINGER_MS = 1_000;

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

/** The body of a request as it comes in. Throws `UPLOAD_CUT_OFF` when the client is gone or silent before its end. */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  request.socket.setTimeout(IDLE_MS);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw new CodedError('UPLOAD_CUT_OFF', UPLOAD_CUT_OFF, { cause: error });
  } finally {
    request.socket.setTimeout(0);
  }
}

/** Throws away what still comes, for a moment: many clients read no answer before they have sent everything. */
export async function discardRest(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  const ended = new Promise<void>((resolve) => {
    request.once('end', resolve).once('close', resolve);
  });
  request.resume();
  await Promise.race([ended, sleep(LINGER_MS)]);
}
