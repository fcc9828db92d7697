import type { Location, ReadingValue } from '#contracts';

/** What was stored as a value, checked without the schemas of the doors: it passed them when it came in. */
export function asValue(value: unknown): ReadingValue {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' || isObject(value))
    return value;
  throw new Error(`not a stored value: ${JSON.stringify(value)}`);
}

/** What was stored as a location. */
export function asLocation(location: unknown): Location {
  if (typeof location === 'string' || isPosition(location)) return location;
  throw new Error(`not a stored location: ${JSON.stringify(location)}`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPosition(value: unknown): value is Exclude<Location, string> {
  return isObject(value) && typeof value['lat'] === 'number' && typeof value['lon'] === 'number';
}
