import { LIMITS, SENSOR_NAME, type ErrorCode, type Location, type ReadingValue } from '#contracts';

/** One reading of a batch that can be kept. */
export interface ParsedReading {
  /** Its place in the batch, from 0. */
  index: number;
  /** The device it names, if it names one. */
  device: string | undefined;
  sensor: string;
  ts: number;
  value: ReadingValue;
  unit: string | null;
  location: Location | null;
  /** The sender gave no timestamp: it is the time received. */
  timeless: boolean;
}

/** Why one reading cannot be kept. */
export interface ReadingFault {
  code: ErrorCode;
  message: string;
}

/** Which timestamps are accepted, ms since the epoch. */
export interface TimeWindow {
  now: number;
  oldest: number;
}

const MAX_DEVICE_CHARS = 128;

class Fault extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Reads one reading as a device sent it. Written by hand because it runs for every reading: the schema `ReadingInput` of the
 * contracts says the same, and a test holds them together.
 */
export function parseReading(input: unknown, index: number, window: TimeWindow): ParsedReading | ReadingFault {
  try {
    return parse(input, index, window);
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, message: error.message };
    throw error;
  }
}

function parse(input: unknown, index: number, window: TimeWindow): ParsedReading {
  if (!isObject(input)) throw new Fault('NOT_AN_OBJECT', `a reading must be an object, this is ${nameOf(input)}`);
  checkFields(input);
  const given = input.ts ?? input.timestamp ?? undefined;
  return {
    index,
    device: parseDevice(input.device),
    sensor: parseSensor(input.sensor, input.sensorType),
    ts: given === undefined ? window.now : parseTime(given, window),
    value: parseValue(input.value),
    unit: parseUnit(input.unit),
    location: parseLocation(input.location),
    timeless: given === undefined,
  };
}

function checkFields(input: object): void {
  for (const field in input) {
    switch (field) {
      case 'device':
      case 'sensor':
      case 'sensorType':
      case 'value':
      case 'unit':
      case 'location':
      case 'ts':
      case 'timestamp':
        break;
      default:
        throw new Fault(
          'UNKNOWN_FIELD',
          `"${excerpt(field)}" is not a field of a reading: use device, sensor, sensorType, value, unit, location, ts, timestamp`,
        );
    }
  }
}

function parseDevice(device: unknown): string | undefined {
  if (device === undefined || device === null) return undefined;
  if (typeof device === 'string' && device !== '' && device.length <= MAX_DEVICE_CHARS) return device;
  throw new Fault(
    'DEVICE_NOT_ALLOWED',
    `device must be an id or a name of 1 to ${String(MAX_DEVICE_CHARS)} characters`,
  );
}

function parseSensor(sensor: unknown, sensorType: unknown): string {
  if (sensor !== undefined && sensorType !== undefined && sensor !== sensorType) {
    throw new Fault('BAD_SENSOR', 'sensor and sensorType mean the same thing and differ: send one of them');
  }
  const name = sensor ?? sensorType;
  if (typeof name === 'string' && SENSOR_NAME.test(name)) return name;
  if (name === undefined || name === null) throw new Fault('BAD_SENSOR', 'sensor (or sensorType) is missing');
  throw new Fault(
    'BAD_SENSOR',
    `sensor must be 1 to ${String(LIMITS.sensorChars)} of A-Z a-z 0-9 _ . - : /, this is ${typeof name === 'string' ? `"${excerpt(name)}"` : nameOf(name)}`,
  );
}

function parseValue(value: unknown): ReadingValue {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return parseText(value);
  if (isObject(value)) return parseJson(value);
  const what =
    value === undefined
      ? 'is missing'
      : `must be a finite number, boolean, string or JSON object, this is ${nameOf(value)}`;
  throw new Fault('BAD_VALUE', `value ${what}`);
}

function parseText(value: string): string {
  if (Buffer.byteLength(value) > LIMITS.valueStringBytes) {
    throw new Fault('BAD_VALUE', `value is a string of more than ${String(LIMITS.valueStringBytes)} bytes`);
  }
  if (!isStorable(value)) throw new Fault('BAD_VALUE', 'value has a character that is not valid Unicode, or U+0000');
  return value;
}

/** A lone surrogate or U+0000 as JSON writes them, behind an even number of backslashes. */
const UNSTORABLE_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

function parseJson(value: Record<string, unknown>): Record<string, unknown> {
  const text = jsonOf(value);
  if (text === undefined || Buffer.byteLength(text) > LIMITS.valueObjectBytes) {
    throw new Fault('BAD_VALUE', `value is a JSON object of more than ${String(LIMITS.valueObjectBytes)} bytes`);
  }
  if (UNSTORABLE_ESCAPE.test(text))
    throw new Fault('BAD_VALUE', 'value has a character that is not valid Unicode, or U+0000');
  return value;
}

/** Undefined for one that is nested too deep to be written as JSON. */
function jsonOf(value: object): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function parseUnit(unit: unknown): string | null {
  if (unit === undefined || unit === null || unit === '') return null;
  if (typeof unit === 'string' && unit.length <= LIMITS.unitChars && isStorable(unit)) return unit;
  throw new Fault('BAD_UNIT', `unit must be a string of up to ${String(LIMITS.unitChars)} characters`);
}

function parseLocation(location: unknown): Location | null {
  if (location === undefined || location === null) return null;
  if (typeof location === 'string') {
    if (location !== '' && location.length <= LIMITS.locationChars && isStorable(location)) return location;
    throw new Fault('BAD_LOCATION', `location must be a label of 1 to ${String(LIMITS.locationChars)} characters`);
  }
  if (!isObject(location)) throw new Fault('BAD_LOCATION', 'location must be a label or {lat, lon, alt?}');
  const { lat, lon, alt, ...rest } = location;
  if (Object.keys(rest).length > 0) throw new Fault('BAD_LOCATION', 'location has only the fields lat, lon and alt');
  if (!isWithin(lat, 90)) throw new Fault('BAD_LOCATION', 'location.lat must be degrees from -90 to 90');
  if (!isWithin(lon, 180)) throw new Fault('BAD_LOCATION', 'location.lon must be degrees from -180 to 180');
  if (alt === undefined || alt === null) return { lat, lon };
  if (!isWithin(alt, Number.MAX_VALUE)) throw new Fault('BAD_LOCATION', 'location.alt must be metres');
  return { lat, lon, alt };
}

/** ISO 8601 with a time and an offset (RFC 3339 section 5.6). */
const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

function parseTime(given: unknown, { now, oldest }: TimeWindow): number {
  const ts = typeof given === 'string' ? ofIso(given) : given;
  if (typeof ts !== 'number' || !Number.isSafeInteger(ts) || ts < 0) {
    throw new Fault('BAD_TIMESTAMP', 'ts must be whole milliseconds since the epoch, or ISO 8601 with an offset');
  }
  if (ts > now + LIMITS.futureMs) {
    throw new Fault(
      'TIMESTAMP_IN_FUTURE',
      `ts is more than a day ahead of our clock (${new Date(now).toISOString()}): set the device's clock`,
    );
  }
  if (ts < oldest) {
    const hint = ts > oldest / 1000 ? ': are these seconds? Send milliseconds' : '';
    throw new Fault(
      'TIMESTAMP_TOO_OLD',
      `ts is older than what is kept (since ${new Date(oldest).toISOString()})${hint}`,
    );
  }
  return ts;
}

function ofIso(text: string): number {
  const match = ISO_TIME.exec(text);
  if (!match) return Number.NaN;
  const [, year, month, day] = match.map(Number);
  const daysInMonth = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  return (day ?? 0) <= daysInMonth ? Date.parse(text) : Number.NaN;
}

const isWithin = (value: unknown, limit: number): value is number =>
  typeof value === 'number' && Math.abs(value) <= limit;

const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0');

/** A JSON object, not an array, nor something binary that a socket can carry. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'something binary' : `a ${typeof value}`;
}

const excerpt = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}...` : text);
