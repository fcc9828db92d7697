import { Ranges } from '../counting/ranges.ts';
import type { SeriesPlan } from '../counting/series-plan.ts';
import type { FoundSeries } from '../counting/tally.ts';

/** A series of the store, summed up; `first` and `last` are times in ms since the epoch. */
export interface SeriesSummary {
  id: number;
  deviceId: string;
  sensor: string;
  count: number;
  first: number;
  last: number;
}

/** Reads the database itself, past the service. */
export interface StoreReader {
  /** Series whose sensor begins with `prefix` and that have a reading. */
  series(prefix: string): Promise<SeriesSummary[]>;
  /** Every time of a series, ascending. */
  times(id: number): Promise<number[]>;
  close(): Promise<void>;
}

/** All series of a plan. Readings have one time once, so a series without a gap is known from its ends and its count. */
export async function foundSeries(reader: StoreReader, plan: SeriesPlan): Promise<FoundSeries[]> {
  const found: FoundSeries[] = [];
  for (const { id, deviceId, sensor, count, first, last } of await reader.series(`${plan.name}.`)) {
    const isWhole = last - first + 1 === count;
    const times = isWhole
      ? new Ranges([[first - plan.t0, last - plan.t0 + 1]])
      : new Ranges((await reader.times(id)).map((time) => [time - plan.t0, time - plan.t0 + 1]));
    found.push({ deviceId, sensor, times });
  }
  return found;
}
