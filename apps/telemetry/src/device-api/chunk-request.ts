import { badPayload } from './payload.ts';
import { numberOf } from './rpc-payloads.ts';

export type PackageKind = 'firmware' | 'software';

/** A device asks for a part of a package. */
export interface ChunkRequest {
  kind: PackageKind;
  /** The device's own name for this download. */
  request: string;
  /** From 0. */
  chunk: number;
  /** Bytes of a chunk; 0: as before in this download, or else the whole package. */
  size: number;
}

const LONGEST_REQUEST = 64;

/** Reads a publish on `v2/fw/request/{request}/chunk/{chunk}`, whose payload is the size in digits, or empty. Throws `BAD_PAYLOAD`. */
export function parseChunkRequest(topic: string, levels: readonly string[], payload: Buffer): ChunkRequest {
  const [request = '', chunk] = levels;
  if (request.length > LONGEST_REQUEST) {
    throw badPayload(`The id of a request may have at most ${String(LONGEST_REQUEST)} characters.`);
  }
  const digits = payload.toString('latin1').trim();
  return {
    kind: topic.startsWith('v2/sw/') ? 'software' : 'firmware',
    request,
    chunk: numberOf(chunk, 'The number of a chunk'),
    size: digits === '' ? 0 : numberOf(digits.slice(0, 20), 'The payload, bytes of a chunk,'),
  };
}
