import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '#contracts';

/** How long a client may send nothing, in ms. */
const IDLE_MS = 60_000;
/** How long what a refused client still sends is thrown away, so that it gets to read why, in ms. */
const LINGER_MS = 1_000;

/**
 * The body of a request as it comes in. Throws `UPLOAD_CUT_OFF` when the client is gone or silent before its end.
 * @param cutOff What to say then.
 */
export async function* streamedBody(request: IncomingMessage, cutOff: string): AsyncGenerator<Buffer> {
  request.socket.setTimeout(IDLE_MS);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw new CodedError('UPLOAD_CUT_OFF', cutOff, { cause: error });
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
