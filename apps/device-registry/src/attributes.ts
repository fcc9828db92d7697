import { z } from 'zod';
import { isStorable, MAX_DEPTH } from '#platform';

/** Largest attributes of one thing, in bytes of UTF-8 as serialised. */
const MAX_BYTES = 16_384;

/** What somebody keeps with a device, an asset or a profile: any JSON object up to 16 KiB and 32 levels. */
export const Attributes = z.record(z.string(), z.unknown()).superRefine((attributes, context) => {
  const problem = attributesProblem(attributes);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** A change of attributes as JSON merge patch, to be checked once it is merged. */
export const AttributesPatch = z.record(z.string(), z.unknown()).nullable();

/** Why a JSON object cannot be attributes; undefined if it can. */
export function attributesProblem(attributes: Record<string, unknown>): string | undefined {
  const problem = problemIn(attributes, 0);
  if (problem !== undefined) return problem;
  const bytes = Buffer.byteLength(JSON.stringify(attributes));
  return bytes > MAX_BYTES
    ? `must have at most ${String(MAX_BYTES)} bytes as JSON, these have ${String(bytes)}`
    : undefined;
}

function problemIn(value: unknown, depth: number): string | undefined {
  if (depth > MAX_DEPTH) return `must be nested at most ${String(MAX_DEPTH)} levels deep`;
  if (typeof value === 'number' && !Number.isFinite(value)) return 'must have numbers in the range of a double';
  if (typeof value === 'string' && !isStorable(value)) return 'must not have half a surrogate pair in a text';
  if (typeof value !== 'object' || value === null) return undefined;
  const inside = Array.isArray(value) ? value : Object.entries(value).flat();
  for (const item of inside) {
    const problem = problemIn(item, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
