import { CodedError } from '#contracts';
import { MAX_DEPTH } from '#platform';

/** What attributes may be; sizes are bytes of UTF-8. */
export const ATTRIBUTE_LIMITS = {
  keyChars: 255,
  valueBytes: 16_384,
  /** Attributes of one device, of all scopes. */
  keys: 1_000,
  /** Keys and values of one device, of all scopes. */
  bytes: 262_144,
} as const;

/** Neither control characters nor halves of surrogate pairs. */
const KEY = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** How an error names a key. */
const named = (key: string): string => JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);

/** Throws `BAD_ATTRIBUTE` for a key that an attribute cannot have. */
export function checkKey(key: string): void {
  if (KEY.test(key) && key.length <= ATTRIBUTE_LIMITS.keyChars) return;
  throw new CodedError(
    'BAD_ATTRIBUTE',
    `The attribute ${named(key)} has no valid key: it must have 1 to ${String(ATTRIBUTE_LIMITS.keyChars)} characters, none of them a control character.`,
  );
}

/** Throws `BAD_ATTRIBUTE` for a value that is nested too deep or has a number that JSON cannot say. */
export function checkValue(key: string, value: unknown): void {
  const problem = problemIn(value, 1);
  if (problem !== undefined) throw new CodedError('BAD_ATTRIBUTE', `The attribute ${named(key)} ${problem}.`);
}

/** Bytes of an attribute. Throws `ATTRIBUTES_TOO_LARGE` for a value that is too large. */
export function sizeOf(key: string, value: unknown): number {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > ATTRIBUTE_LIMITS.valueBytes) {
    throw new CodedError(
      'ATTRIBUTES_TOO_LARGE',
      `The attribute ${named(key)} has ${String(bytes)} bytes as JSON; it may have ${String(ATTRIBUTE_LIMITS.valueBytes)}.`,
    );
  }
  return bytes + Buffer.byteLength(key);
}

/** Throws `ATTRIBUTES_TOO_LARGE` if a device would have more than it may; `key` is one that it was about to get. */
export function checkTotals(key: string, totals: { keys: number; bytes: number }): void {
  if (totals.keys > ATTRIBUTE_LIMITS.keys) {
    throw new CodedError(
      'ATTRIBUTES_TOO_LARGE',
      `With ${named(key)} the device would have ${String(totals.keys)} attributes, of ${String(ATTRIBUTE_LIMITS.keys)} that it may have (deleted ones that it was not told of yet count): delete some first.`,
    );
  }
  if (totals.bytes > ATTRIBUTE_LIMITS.bytes) {
    throw new CodedError(
      'ATTRIBUTES_TOO_LARGE',
      `With ${named(key)} the device's attributes would have ${String(totals.bytes)} bytes, of ${String(ATTRIBUTE_LIMITS.bytes)} that they may have: delete some first.`,
    );
  }
}

function problemIn(value: unknown, depth: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'has a number beyond the range of a double';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return `is nested deeper than ${String(MAX_DEPTH)} levels`;
  for (const item of Object.values(value)) {
    const problem = problemIn(item, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
