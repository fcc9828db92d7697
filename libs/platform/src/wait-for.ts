import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from './logging.ts';

/**
 * Tries until it succeeds, with exponential backoff from 100 ms to 5 s, and says what it waits for: once at the first
 * failure and then every 30 s. Rejects only when `signal` is aborted.
 */
export async function waitFor<T>(what: string, attempt: () => Promise<T>, log: Log, signal?: AbortSignal): Promise<T> {
  const startedAt = Date.now();
  let pauseMs = 100;
  let saidAt: number | undefined;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const result = await attempt();
      if (saidAt !== undefined) log.info(`${what} is there after ${String(Date.now() - startedAt)} ms`);
      return result;
    } catch (error) {
      if (saidAt === undefined || Date.now() - saidAt > 30_000) {
        saidAt = Date.now();
        log.warn(`waiting for ${what}: ${error instanceof Error ? error.message || error.name : String(error)}`);
      }
      await sleep(pauseMs, undefined, signal ? { signal } : {});
      pauseMs = Math.min(pauseMs * 2, 5_000);
    }
  }
}
