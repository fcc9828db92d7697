import { duplicatesOf, piecesOf } from './mongo-bulk.ts';
import type { StoreModels } from './mongo-schema.ts';
import type { SeriesRows } from './write-plan.ts';

/** A series as a writer remembers it; `newest`: time of the newest reading that it is known to have. */
export interface KnownSeries {
  id: number;
  newest: number;
}

/** Series kept in memory; above it they are looked up again. */
const MAX_KNOWN = 500_000;
const PER_QUERY = 1_000;
const ATTEMPTS = 5;

/** Gives each sensor of each device its number, once, whichever writer is first. */
export class MongoSeries {
  readonly #models: StoreModels;
  readonly #known = new Map<string, Map<string, KnownSeries>>();
  #count = 0;

  constructor(models: StoreModels) {
    this.#models = models;
  }

  /** The series of these rows, in the same order; made where they are missing. */
  async of(rows: readonly SeriesRows[]): Promise<KnownSeries[]> {
    if (this.#count > MAX_KNOWN) this.#forget();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const missing = rows.filter((series) => !this.#find(series));
      if (missing.length === 0) return rows.flatMap((series) => this.#find(series) ?? []);
      await this.#lookUp([...new Set(missing.map(({ deviceId }) => deviceId))]);
      await this.#make(missing.filter((series) => !this.#find(series)));
    }
    throw new Error('the series of a write could neither be found nor made');
  }

  #find({ deviceId, sensor }: SeriesRows): KnownSeries | undefined {
    return this.#known.get(deviceId)?.get(sensor);
  }

  async #lookUp(deviceIds: readonly string[]): Promise<void> {
    for (const piece of piecesOf(deviceIds, PER_QUERY)) {
      const found = await this.#models.series.find({ d: { $in: piece } }).lean();
      for (const { _id, d, s } of found) this.#remember(d, s, _id);
    }
  }

  /** What another writer makes at the same time is left out here, and found by the next look. */
  async #make(missing: readonly SeriesRows[]): Promise<void> {
    if (missing.length === 0) return;
    const counter = await this.#models.counters
      .findOneAndUpdate(
        { _id: 'series' },
        { $inc: { last: missing.length } },
        { upsert: true, returnDocument: 'after' },
      )
      .lean();
    const first = counter.last - missing.length + 1;
    const documents = missing.map(({ deviceId, sensor }, index) => ({ _id: first + index, d: deviceId, s: sensor }));
    const taken = new Set(await duplicatesOf(this.#models.bulk.series.insertMany(documents, { ordered: false })));
    documents.forEach(({ _id, d, s }, index) => {
      if (!taken.has(index)) this.#remember(d, s, _id);
    });
  }

  #remember(deviceId: string, sensor: string, id: number): void {
    let sensors = this.#known.get(deviceId);
    if (!sensors) this.#known.set(deviceId, (sensors = new Map<string, KnownSeries>()));
    if (sensors.has(sensor)) return;
    sensors.set(sensor, { id, newest: -1 });
    this.#count += 1;
  }

  #forget(): void {
    this.#known.clear();
    this.#count = 0;
  }
}
