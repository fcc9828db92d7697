import type { Location, ReadingValue } from '#contracts';
import { asLocation, asValue, isObject } from './stored-content.ts';

/**
 * A value or a location in a document: numbers, booleans and strings as they are; everything else, and strings that UTF-8
 * would change, as JSON text in `{j}`, so that no key of a sender is ever a field name, and nesting has no limit.
 */
export type StoredValue = number | boolean | string | { j: string };

const HALF_SURROGATE = /\p{Surrogate}/u;

export function storedValue(value: unknown): StoredValue {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'string' && !HALF_SURROGATE.test(value)) return value;
  return { j: JSON.stringify(value) };
}

/** The value that {@link storedValue} was given. */
export const valueOf = (stored: unknown): ReadingValue => asValue(decode(stored));

/** The location that {@link storedValue} was given; undefined for none. */
export const locationOf = (stored: unknown): Location | undefined =>
  stored === undefined || stored === null ? undefined : asLocation(decode(stored));

function decode(stored: unknown): unknown {
  return isObject(stored) && typeof stored['j'] === 'string' ? JSON.parse(stored['j']) : stored;
}
