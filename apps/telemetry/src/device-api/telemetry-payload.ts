import { badPayload, isObject, nameOf, type JsonObject } from './payload.ts';
import { sensorOfKey } from './sensor-of-key.ts';
import { typedText } from './typed-text.ts';

/** A reading as ingestion takes it; whether it can be kept is for ingestion to say. */
export interface UploadedReading {
  sensor: string;
  /** ms since the epoch; absent: the time received. */
  ts?: number;
  value: unknown;
}

export interface UploadedTelemetry {
  readings: UploadedReading[];
  /** What the device says of its firmware and software, as it wrote it; undefined if it says nothing of it. */
  firmware: JsonObject | undefined;
}

/** Keys by which a device says how far it is with a package. */
const FIRMWARE_KEY = /^(?:(?:fw|sw)_(?:state|error)|current_(?:fw|sw)_(?:title|version))$/;
const DIGITS = /^\d{1,17}$/;

/**
 * The readings of a document in any of the four forms of ThingsBoard's telemetry: `{key: value}`, `{ts, values: {key: value}}`, or an
 * array of these. Null is no value and is left out. Throws `BAD_PAYLOAD` for a document of another form.
 */
export function parseTelemetry(document: unknown): UploadedTelemetry {
  const telemetry: UploadedTelemetry = { readings: [], firmware: undefined };
  if (Array.isArray(document)) for (const item of document) addItem(telemetry, item);
  else addItem(telemetry, document);
  return telemetry;
}

/** Fields beside `ts` and `values`, such as the `metadata` of gateways, are about the message and no readings. */
function addItem(telemetry: UploadedTelemetry, item: unknown): void {
  if (!isObject(item)) {
    throw badPayload(`Telemetry must be a JSON object or an array of objects, this is ${nameOf(item)}.`);
  }
  if (!Object.hasOwn(item, 'ts') || !Object.hasOwn(item, 'values')) {
    addValues(telemetry, item, undefined);
    return;
  }
  const { ts, values } = item;
  if (!isObject(values)) throw badPayload(`"values" must be a JSON object, this is ${nameOf(values)}.`);
  addValues(telemetry, values, timeOf(ts));
}

function addValues(telemetry: UploadedTelemetry, values: JsonObject, ts: number | undefined): void {
  for (const [key, value] of Object.entries(values)) {
    if (value === null) continue;
    if (FIRMWARE_KEY.test(key)) telemetry.firmware = { ...telemetry.firmware, [key]: value };
    telemetry.readings.push({ sensor: sensorOfKey(key), ...(ts === undefined ? {} : { ts }), value: valueOf(value) });
  }
}

/** Milliseconds, as a number, of which a fraction is cut off, or as digits. */
function timeOf(ts: unknown): number {
  if (typeof ts === 'number') return Math.trunc(ts);
  if (typeof ts === 'string' && DIGITS.test(ts)) return Number(ts);
  const shown = typeof ts === 'string' ? `"${ts.slice(0, 40)}"` : nameOf(ts);
  throw badPayload(`"ts" must be milliseconds since the epoch, this is ${shown}.`);
}

/** Readings have no arrays for values: one is kept as an object that has it. */
function valueOf(value: unknown): unknown {
  if (typeof value === 'string') return typedText(value);
  return Array.isArray(value) ? { array: value } : value;
}
