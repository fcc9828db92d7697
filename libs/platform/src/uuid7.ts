import { randomFillSync } from 'node:crypto';

/** Random bytes of one UUID. */
const RANDOM_BYTES = 8;

/** Random bytes drawn ahead: one request for many is as quick as for a few. */
const pool = Buffer.alloc(512 * RANDOM_BYTES);
let used = pool.length;

let last = 0n;

/**
 * A UUID version 7 (RFC 9562 section 5.7), strictly increasing within the process: 48 bits of milliseconds and a 12-bit
 * counter (method 1 of section 6.2) that carries into the milliseconds when it overflows.
 */
export function uuid7(now: number = Date.now()): string {
  const floor = BigInt(now) << 12n;
  last = floor > last ? floor : last + 1n;
  const time = (last >> 12n).toString(16).padStart(12, '0');
  const counter = (last & 0xfffn).toString(16).padStart(3, '0');
  const random = nextRandom();
  random.writeUInt8((random.readUInt8(0) & 0x3f) | 0x80, 0);
  const tail = random.toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

/** A UUID version 7 (RFC 9562 section 5.7) that is below all those made from `time` on, ms since the epoch. */
export function uuid7Floor(time: number): string {
  const hex = Math.max(0, time).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

function nextRandom(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += RANDOM_BYTES;
  return pool.subarray(used - RANDOM_BYTES, used);
}
