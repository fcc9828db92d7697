import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeClock } from './fake-clock.ts';

/** Waits until `condition` holds, for at most 20 seconds; moves `clock` on by `stepMs` in every round, if there is one. */
export async function until(what: string, condition: () => boolean, clock?: FakeClock, stepMs = 20): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}.`);
    await sleep(2);
    clock?.advance(stepMs);
  }
}
