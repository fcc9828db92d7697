import type { LoadResult } from '../load/load-spec.ts';
import type { Platform } from '../platform/platform.ts';
import type { LoadRunner, LoadShape } from './load-runner.ts';

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const acknowledgedRate = ({ window }: LoadResult): number => window.readings / window.seconds;

/** Readings a second. */
export interface Duel {
  platform: number;
  empty: number;
}

/** Acknowledged readings a second of the platform and of the empty handler, in turns, so that both have the same machine. */
export async function duel(
  platform: Platform,
  load: LoadRunner,
  empty: { url: string; load: LoadRunner },
  shape: LoadShape,
  rounds: number,
): Promise<Duel> {
  const rates: Duel[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const ceiling = acknowledgedRate(await empty.load.run(empty.url, shape));
    const own = acknowledgedRate(await load.run(platform.directUrl, shape));
    await platform.drained();
    await load.check(platform);
    rates.push({ platform: own, empty: ceiling });
  }
  return { platform: mean(rates.map((rate) => rate.platform)), empty: mean(rates.map((rate) => rate.empty)) };
}

/**
 * Readings stored a second, sustained: those acknowledged while it was measured, by the time until the store had all of them
 * and all that waited before.
 */
export async function storedRate(platform: Platform, load: LoadRunner, shape: LoadShape): Promise<number> {
  const { window } = await load.run(platform.directUrl, shape);
  await platform.drained();
  const seconds = (Date.now() - window.startedAt) / 1_000;
  await load.check(platform);
  return window.readings / seconds;
}

/** How long receipts take at a steady rate, ms. */
export async function receiptTimes(
  platform: Platform,
  load: LoadRunner,
  shape: LoadShape,
): Promise<LoadResult['latency']> {
  const { latency } = await load.run(platform.directUrl, shape);
  await platform.drained();
  await load.check(platform);
  return latency;
}
