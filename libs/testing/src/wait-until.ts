import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Completes the sentence "waited 10000 ms until ...". */
  what: string;
  /** Default 10,000. */
  timeoutMs?: number;
  /** Pause between two looks at the condition, ms; default 20. */
  everyMs?: number;
}

type Falsy = false | 0 | '' | null | undefined;

/**
 * Looks at `condition` again and again until it gives something truthy, and gives that back. A condition that throws
 * counts as not met.
 * @throws Error that names `what` and the last value or error, after `timeoutMs`.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 20 }: WaitOptions,
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + timeoutMs;
  let seen: unknown;
  do {
    try {
      const value = await condition();
      if (isTruthy(value)) return value;
      seen = `last saw ${JSON.stringify(value)}`;
    } catch (error) {
      seen = error instanceof Error ? error.message : error;
    }
    await sleep(everyMs);
  } while (performance.now() < deadline);
  throw new Error(`waited ${timeoutMs} ms until ${what}: ${String(seen)}`);
}

function isTruthy<T>(value: T): value is Exclude<T, Falsy> {
  return Boolean(value);
}
