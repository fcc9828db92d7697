import { CodedError, type ReadingInput } from '#contracts';

/** Gives readings the time at which they were handed over. */
export type Stamp = (reading: ReadingInput) => ReadingInput;

/**
 * A stamp that never gives two readings of one sensor the same `ts`: a reading is identified by device, sensor and time, so
 * that a resend must carry the time of the first send and a second reading must carry another. When the clock stands still
 * or is set back, times go on one millisecond after the last. A reading that brings its time keeps it.
 */
export function createStamp(now: () => number, maxBytes: number): Stamp {
  const lastOf = new Map<string, number>();
  return (reading) => {
    checkSendable(reading, maxBytes);
    const copy = structuredClone(reading);
    if (reading.ts !== undefined || reading.timestamp !== undefined) return copy;
    const key = JSON.stringify([reading.device, reading.sensor ?? reading.sensorType]);
    const ts = Math.max(Math.trunc(now()), (lastOf.get(key) ?? -1) + 1);
    lastOf.set(key, ts);
    return { ...copy, ts };
  };
}

/** Throws `INVALID_INPUT` for what no platform could accept: better said here, to the caller, than by a rejection later. */
function checkSendable(reading: ReadingInput, maxBytes: number): void {
  const name = reading.sensor ?? reading.sensorType;
  if (typeof name !== 'string' || name === '') {
    throw new CodedError('INVALID_INPUT', 'A reading has no sensor: give it `sensor`, 1-64 of A-Z a-z 0-9 _ . - : /.');
  }
  if (typeof reading.value === 'number' && !Number.isFinite(reading.value)) {
    throw new CodedError('INVALID_INPUT', `The value of ${name} is ${reading.value}: send finite numbers only.`);
  }
  const value: unknown = reading.value;
  if (value === undefined || value === null) {
    throw new CodedError(
      'INVALID_INPUT',
      `A reading of ${name} has no value: give it a number, boolean, text or object.`,
    );
  }
  const bytes = Buffer.byteLength(JSON.stringify(reading));
  if (bytes > maxBytes) {
    throw new CodedError(
      'INVALID_INPUT',
      `A reading of ${name} has ${bytes} bytes and a batch takes ${maxBytes}: send less.`,
    );
  }
}
