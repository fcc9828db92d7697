import { badPayload } from './payload.ts';
import { namesOf } from './attribute-payloads.ts';

/** A value of a query string: absent, given once, or several times. */
export type Queried = string | readonly string[] | undefined;

const DEFAULT_TIMEOUT_MS = 60_000;
const LONGEST_TIMEOUT_MS = 300_000;

/** How long a request waits, in ms: a minute if it does not say, five at most. Throws `BAD_PAYLOAD`. */
export function timeoutOf(timeout: Queried): number {
  const ms = wholeNumberOf(timeout, 'timeout');
  return ms === 0 ? DEFAULT_TIMEOUT_MS : Math.min(ms, LONGEST_TIMEOUT_MS);
}

/** A whole number, 0 if it is not given. Throws `BAD_PAYLOAD`. */
export function wholeNumberOf(given: Queried, name: string): number {
  if (given === undefined || given === '') return 0;
  if (typeof given === 'string' && /^\d{1,15}$/.test(given)) return Number(given);
  throw badPayload(`"${name}" must be a whole number, once.`);
}

/** Names joined by commas, or given several times. */
export function queriedNames(given: Queried): string[] | undefined {
  if (given === undefined) return undefined;
  return (typeof given === 'string' ? [given] : given).flatMap(namesOf);
}
