import { CodedError } from '#contracts';
import type { Clock } from '../clock.ts';

/** Bytes of one chunk; the last one has fewer. The platform takes up to 64 KiB, packet and all. */
export const CHUNK_BYTES = 32_768;
/** Chunks that are asked for at a time. */
const IN_FLIGHT = 4;

/** Asks for chunks over one link. */
export interface Chunks {
  request(chunk: number, bytes: number): void;
  onChunk(chunk: number, take: (bytes: Uint8Array) => void): void;
  onError(take: (words: string) => void): void;
  /** Aborted when the link has ended. */
  ended: AbortSignal;
}

interface LoadOptions {
  offset: number;
  signal: AbortSignal;
  clock: Clock;
  /** How long a chunk may take, in milliseconds. */
  timeoutMs: number;
}

/** The bytes from `offset` on, a chunk after the other, a few asked for ahead. A chunk that is not full is the last. */
export async function* loadChunks(chunks: Chunks, options: LoadOptions): AsyncGenerator<Uint8Array> {
  const { offset, signal } = options;
  const waiting = new Set<(error: Error) => void>();
  const fail = (error: Error) => [...waiting].forEach((reject) => reject(error));
  const lost = () => fail(new Error('The connection was lost.'));
  const asked: Promise<Uint8Array>[] = [];
  let next = Math.floor(offset / CHUNK_BYTES);
  let skip = offset % CHUNK_BYTES;
  chunks.onError((words) => fail(refusalIn(words)));
  chunks.ended.addEventListener('abort', lost, { once: true });
  signal.addEventListener('abort', lost, { once: true });
  try {
    while (!signal.aborted) {
      while (asked.length < IN_FLIGHT) asked.push(ask(chunks, next++, options, waiting));
      const bytes = await asked.shift();
      if (!bytes) return;
      if (skip < bytes.length) yield bytes.subarray(skip);
      skip = 0;
      if (bytes.length < CHUNK_BYTES) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    chunks.ended.removeEventListener('abort', lost);
    signal.removeEventListener('abort', lost);
    lost();
  }
}

function ask(
  chunks: Chunks,
  chunk: number,
  { clock, timeoutMs }: LoadOptions,
  waiting: Set<(error: Error) => void>,
): Promise<Uint8Array> {
  const answer = new Promise<Uint8Array>((resolve, reject) => {
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    const cancel = clock.after(timeoutMs, () => fail(new Error(`Chunk ${chunk} did not come in time.`)));
    const settle = () => {
      cancel();
      waiting.delete(fail);
    };
    waiting.add(fail);
    chunks.onChunk(chunk, (bytes) => {
      settle();
      resolve(bytes);
    });
    if (chunks.ended.aborted) fail(new Error('The connection was lost.'));
    else chunks.request(chunk, CHUNK_BYTES);
  });
  answer.catch(() => undefined);
  return answer;
}

/** The words of `v2/fw/error`. */
function refusalIn(words: string): Error {
  if (words === 'NOT_FOUND')
    return new CodedError('FIRMWARE_NOT_ASSIGNED', 'The platform has no package for this device.');
  if (words === 'PAYLOAD_TOO_LARGE') {
    return new CodedError('PACKET_TOO_LARGE', `The platform does not give chunks of ${CHUNK_BYTES} bytes.`);
  }
  return new Error(`The platform could not give the package: ${words}.`);
}
