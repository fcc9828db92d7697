import { type BackoffOptions, DEFAULT_BACKOFF, atLeast, fullJitter } from '../backoff.ts';
import { type Clock, systemClock } from '../clock.ts';
import { isFinal, retryAfterOf } from '../refusal.ts';

/** How long to go on, and how often. */
export interface Perseverance {
  backoff?: Partial<BackoffOptions>;
  /** Ends with the last error when the next attempt would begin later than this, in milliseconds; never by default. */
  giveUpAfterMs?: number;
  /** Ends with the reason of the signal. */
  signal?: AbortSignal;
  /** Told of every failure that is not the last. */
  onRetry?: (failure: { error: unknown; retryInMs: number }) => void;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/**
 * Attempts something that is safe to repeat until it succeeds. Load, failure and a network that does not work are waited out with
 * exponential backoff and full jitter, at least as long as the platform asks for; a refusal that is final is thrown as it came.
 */
export async function persevere<T>(attempt: () => Promise<T>, options: Perseverance = {}): Promise<T> {
  const { clock = systemClock, random = Math.random, giveUpAfterMs = Infinity, onRetry, signal } = options;
  const backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
  const end = clock.now() + giveUpAfterMs;
  for (let attempts = 0; ; attempts += 1) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const retryInMs = Math.max(fullJitter(attempts, backoff, random), atLeast(retryAfterOf(error) ?? 0, random));
      if (isFinal(error) || isOfTheMachine(error) || clock.now() + retryInMs > end) throw error;
      onRetry?.({ error, retryInMs });
      await pause(clock, retryInMs, signal);
    }
  }
}

/** Waits, until called off at the latest. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}

/** A failure of this machine's own files, which no waiting cures. */
const isOfTheMachine = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'syscall' in error && 'code' in error;
