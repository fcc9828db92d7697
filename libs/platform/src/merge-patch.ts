import { CodedError } from '#contracts';

type JsonObject = Record<string, unknown>;

/** Deepest nesting of what is merged and of attributes. */
export const MAX_DEPTH = 32;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * JSON Merge Patch (RFC 7396): objects are merged, null deletes, everything else replaces. Neither argument is changed.
 * Throws `INVALID_INPUT` for a patch that is nested deeper than 32 levels.
 */
export function mergePatch(target: unknown, patch: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) {
    throw new CodedError('INVALID_INPUT', `The patch is nested deeper than ${String(MAX_DEPTH)} levels.`);
  }
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value, depth + 1));
  }
  return Object.fromEntries(merged);
}
