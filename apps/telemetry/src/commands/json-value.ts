import { z } from 'zod';

/** Bytes that the parameters or the result of a command take as JSON. */
export const MAX_JSON_BYTES = 65_536;
/** How deep objects and arrays may be in each other. */
const MAX_DEPTH = 32;
/** Half of a character outside the basic plane (Unicode 16, section 3.9, D72): databases refuse it in JSON. */
const HALF_CHARACTER = /\p{Surrogate}/u;

/** Why a value that came as JSON cannot be kept, in words that follow "it"; undefined if it can be. */
export function jsonProblem(value: unknown): string | undefined {
  const problem = shapeProblem(value, 1);
  if (problem !== undefined) return problem;
  const bytes = Buffer.byteLength(JSON.stringify(value ?? null));
  return bytes > MAX_JSON_BYTES
    ? `has ${String(bytes)} bytes as JSON, at most ${String(MAX_JSON_BYTES)} are taken`
    : undefined;
}

function shapeProblem(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return HALF_CHARACTER.test(value) ? 'has half of a character in a text' : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return `is deeper than ${String(MAX_DEPTH)} levels`;
  for (const [key, part] of Object.entries(value)) {
    const problem = shapeProblem(key, depth) ?? shapeProblem(part, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Any JSON value that can be kept. */
export const JsonValue = z.unknown().superRefine((value, context) => {
  const problem = jsonProblem(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});
