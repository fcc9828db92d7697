/** How long to wait between attempts, in milliseconds. */
export interface BackoffOptions {
  /** Upper end of the first wait. */
  baseMs: number;
  /** Upper end of every wait. */
  maxMs: number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 30_000 };

/**
 * The wait before attempt number `attempt` (from 0): exponential with full jitter, uniform between 0 and
 * min(maxMs, baseMs * 2^attempt), so that a fleet that lost its server together does not return together.
 */
export function fullJitter(attempt: number, { baseMs, maxMs }: BackoffOptions, random: () => number): number {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}

/** The wait that a server asked for, and up to half of it again, so that nobody comes early and not all at once. */
export function atLeast(retryAfterMs: number, random: () => number): number {
  return Math.round(retryAfterMs * (1 + random() / 2));
}
