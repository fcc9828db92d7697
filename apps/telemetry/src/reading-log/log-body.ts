import type { Location, ReadingValue } from '#contracts';

/**
 * What one append carries: a group of entries, each one device's part of one batch. Compact because the writer parses
 * hundreds of thousands of readings a second; versioned because replicas of two versions share a log during an update.
 */
export const LOG_BODY_VERSION = 1;

/** `[sensor, ts, value, unit, location]`, trailing nulls left out. */
export type LogReading = [
  sensor: string,
  ts: number,
  value: ReadingValue,
  unit?: string | null,
  location?: Location | null,
];

/** `[deviceId, receivedAt, rejected, readings]`: `rejected` counts the readings of the batch that were refused. */
export type LogEntry = [deviceId: string, receivedAt: number, rejected: number, readings: LogReading[]];

/** The JSON text of one entry. */
export const entryText = (entry: LogEntry): string => JSON.stringify(entry);

/** The body of a group of entry texts. */
export const bodyOf = (entryTexts: readonly string[]): string =>
  `{"v":${String(LOG_BODY_VERSION)},"e":[${entryTexts.join(',')}]}`;

/** The entries of a body. Throws an error that says what is wrong with a body that is none. */
export function parseBody(body: string): LogEntry[] {
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed !== 'object' || parsed === null || !('v' in parsed) || !('e' in parsed)) {
    throw new Error('not a log body: the fields "v" and "e" are missing');
  }
  if (parsed.v !== LOG_BODY_VERSION) throw new Error(`log body version ${String(parsed.v)} is not known`);
  if (!Array.isArray(parsed.e) || !parsed.e.every(isEntry))
    throw new Error('log body holds something that is no entry');
  return parsed.e;
}

function isEntry(value: unknown): value is LogEntry {
  return (
    Array.isArray(value) &&
    typeof value[0] === 'string' &&
    Number.isInteger(value[1]) &&
    Number.isInteger(value[2]) &&
    Array.isArray(value[3]) &&
    value[3].every(isReading)
  );
}

function isReading(value: unknown): value is LogReading {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isInteger(value[1]) && value.length >= 3;
}
