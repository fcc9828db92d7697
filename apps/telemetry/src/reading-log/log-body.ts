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

/** An entry whose readings are text already: {@link readingText}, joined by commas. */
export interface WrittenEntry {
  deviceId: string;
  receivedAt: number;
  rejected: number;
  readings: string;
}

/** The JSON text of a written entry. */
export const textOf = ({ deviceId, receivedAt, rejected, readings }: WrittenEntry): string =>
  `["${deviceId}",${String(receivedAt)},${String(rejected)},[${readings}]]`;

/**
 * The JSON text of one reading of an entry: what `JSON.stringify` gives for a {@link LogReading}, at a third of its cost, since
 * it runs for every reading. A sensor's name has no character that JSON would escape.
 */
export function readingText(
  sensor: string,
  ts: number,
  value: ReadingValue,
  unit: string | null,
  location: Location | null,
): string {
  const head = `["${sensor}",${String(ts)},${typeof value === 'number' ? String(value) : JSON.stringify(value)}`;
  if (location !== null) return `${head},${JSON.stringify(unit)},${JSON.stringify(location)}]`;
  return unit === null ? `${head}]` : `${head},${JSON.stringify(unit)}]`;
}

/** One entry of a body. Throws an error that says what is wrong with a text that is none. */
export function parseEntry(text: string): LogEntry {
  const parsed: unknown = JSON.parse(text);
  if (!isEntry(parsed)) throw new Error('not an entry of the log');
  return parsed;
}

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
