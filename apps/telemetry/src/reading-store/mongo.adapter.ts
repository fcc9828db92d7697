import mongoose, { type Connection } from 'mongoose';
import type { Logger } from 'pino';
import { CodedError, type Reading } from '#contracts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import { asOutage, duplicatesOf, inParallel, piecesOf } from './mongo-bulk.ts';
import { applyChanges, appliedOf, isApplied, type DeviceChange } from './mongo-devices.ts';
import { storeModels, type ReadingContent, type ReadingDocument, type StoreModels } from './mongo-schema.ts';
import { MongoSeries, type KnownSeries } from './mongo-series.ts';
import { locationOf, storedValue, valueOf } from './mongo-values.ts';
import { pageOf, stretchesOf, type SeriesStretch } from './range-page.ts';
import type { RangeQuery, ReadingStore, StoredLedger, WriteResult } from './reading-store.ts';
import {
  planWrite,
  resultOf,
  tallyRow,
  type Row,
  type SeriesRows,
  type StoredRow,
  type WritePlan,
} from './write-plan.ts';

export interface MongoReadingStoreOptions {
  /** `mongodb://...` with the database. */
  url: string;
  logger: Pick<Logger, 'info' | 'warn'>;
}

const SELECTION_TIMEOUT_MS = 5_000;
const ROWS_PER_INSERT = 5_000;
const INSERTS_AT_ONCE = 4;
const KEYS_PER_QUERY = 1_000;

interface PlacedRow {
  key: { s: number; t: number };
  row: Row;
}

/**
 * The store on MongoDB, or what speaks its protocol; needs no transactions. Rows are stored first, then counted: a write that
 * was cut short is completed when its messages are delivered again.
 */
export class MongoReadingStore implements ReadingStore {
  readonly #options: MongoReadingStoreOptions;
  #connection: Connection | undefined;
  #models: StoreModels | undefined;
  #series: MongoSeries | undefined;

  constructor(options: MongoReadingStoreOptions) {
    this.#options = options;
  }

  /** Rejects if the database cannot be reached just now; once it has been, the driver finds back to it by itself. */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#models = undefined;
    this.#series = undefined;
    await this.#connection?.close().catch(() => undefined);
    this.#connection = undefined;
  }

  async write(logId: string, messages: readonly LogMessage[], floor: number): Promise<WriteResult> {
    const plan = planWrite(messages);
    return this.#guard(async (models, allSeries) => {
      const known = await allSeries.of(plan.series);
      const placed = placeRows(plan.series, known);
      const stored = await this.#insert(models, placed);
      for (const { key, row } of placed) tallyRow(row, stored.get(keyOf(key)));
      const applied = stored.size > 0 ? await appliedOf(models, logId, plan.tallies) : new Set();
      const fresh = plan.tallies.filter((tally) => !applied.has(tally));
      const changes = changesOf({ ...plan, tallies: fresh }, known, stored);
      await applyChanges(models, { id: logId, floor }, changes);
      return resultOf(fresh, plan.unreadable);
    });
  }

  latest(deviceId: string, sensors?: readonly string[]): Promise<Reading[]> {
    return this.#guard(async ({ devices }) => {
      const device = await devices.findById(deviceId, { latest: 1 }).lean();
      return Object.values(device?.latest ?? {})
        .filter(({ s }) => !sensors || sensors.includes(s))
        .map((reading) => readingOf(reading.s, reading.t, reading))
        .sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
    });
  }

  range(query: RangeQuery): Promise<Reading[]> {
    return this.#guard(async (models) => {
      const series = await models.series.find({ d: query.deviceId }).lean();
      const stretches = stretchesOf(
        query,
        series.map(({ _id, s }) => ({ id: _id, sensor: s })),
      );
      const readings: Reading[][] = [];
      await inParallel(stretches, INSERTS_AT_ONCE, async (stretch) => {
        readings.push(await stretchOf(models, query, stretch));
      });
      return pageOf(query, readings);
    });
  }

  ledger(deviceId: string): Promise<StoredLedger> {
    return this.#guard(async ({ devices }) => {
      const device = await devices.findById(deviceId, { latest: 0 }).lean();
      const { received = 0, stored = 0, duplicate = 0, conflict = 0, rejected = 0 } = device ?? {};
      return {
        counts: { received, stored, duplicate, conflict, rejected },
        includes: (logId, seq) => isApplied(device, logId, seq),
      };
    });
  }

  ping(): Promise<void> {
    return this.#guard(async () => {
      await this.#connection?.db?.command({ ping: 1 });
    });
  }

  /** Inserts rows; gives those that were there already, by {@link keyOf}. */
  async #insert(models: StoreModels, placed: readonly PlacedRow[]): Promise<Map<string, StoredRow>> {
    const stored = new Map<string, StoredRow>();
    await inParallel(piecesOf(placed, ROWS_PER_INSERT), INSERTS_AT_ONCE, async (piece) => {
      const insert = models.bulk.readings.insertMany(piece.map(documentOf), {
        ordered: false,
        forceServerObjectId: true,
      });
      const duplicates = (await duplicatesOf(insert)).flatMap((index) => piece[index]?.key ?? []);
      for (const keys of piecesOf(duplicates, KEYS_PER_QUERY)) {
        const found = await models.readings.find({ _id: { $in: keys } }).lean();
        for (const document of found) stored.set(keyOf(document._id), storedRowOf(document));
      }
    });
    return stored;
  }

  async #open(): Promise<void> {
    this.#connection = mongoose.createConnection(this.#options.url, {
      serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS,
      writeConcern: { w: 'majority', journal: true },
      ignoreUndefined: true,
      autoIndex: false,
      autoCreate: false,
      bufferCommands: false,
    });
    await this.#connection.asPromise();
    const models = storeModels(this.#connection);
    await models.series.createIndexes();
    this.#series = new MongoSeries(models);
    this.#models = models;
  }

  async #guard<T>(work: (models: StoreModels, series: MongoSeries) => Promise<T>): Promise<T> {
    if (!this.#models || !this.#series) throw new CodedError('UNAVAILABLE', 'The reading store is not open.');
    try {
      return await work(this.#models, this.#series);
    } catch (error) {
      throw asOutage(error);
    }
  }
}

const keyOf = ({ s, t }: { s: number; t: number }): string => `${String(s)} ${String(t)}`;

/** All rows in the order of the index. */
function placeRows(allSeries: readonly SeriesRows[], known: readonly KnownSeries[]): PlacedRow[] {
  const order = allSeries.map((series, index) => ({ series, id: known[index]?.id ?? 0 })).sort((a, b) => a.id - b.id);
  const placed: PlacedRow[] = [];
  for (const { series, id } of order) {
    for (const row of series.rows) placed.push({ key: { s: id, t: row.ts }, row });
  }
  return placed;
}

function documentOf({ key, row }: PlacedRow): ReadingDocument {
  return { _id: key, ...contentOf(row), m: row.seq };
}

function contentOf({ reading, receivedAt }: Row): ReadingContent {
  const [, , value, unit, location] = reading;
  const content: ReadingContent = { v: storedValue(value), r: receivedAt };
  if (unit !== undefined && unit !== null) content.u = unit;
  if (location !== undefined && location !== null) content.l = storedValue(location);
  return content;
}

function storedRowOf({ v, u, l, r, m }: ReadingDocument): StoredRow {
  return {
    value: valueOf(v),
    unit: u ?? null,
    location: locationOf(l) ?? null,
    isOf: (row) => row.seq === m && row.receivedAt === r,
  };
}

function changesOf(
  plan: WritePlan,
  known: readonly KnownSeries[],
  stored: ReadonlyMap<string, StoredRow>,
): DeviceChange[] {
  const changes = new Map<string, DeviceChange>();
  const changeOf = (deviceId: string): DeviceChange => {
    const change = changes.get(deviceId) ?? { deviceId, tallies: [], latest: [] };
    changes.set(deviceId, change);
    return change;
  };
  for (const tally of plan.tallies) changeOf(tally.deviceId).tallies.push(tally);
  plan.series.forEach(({ deviceId, sensor, rows }, index) => {
    const series = known[index];
    const newest = series && rows.findLast((row) => isKept(row, stored.get(keyOf({ s: series.id, t: row.ts }))));
    if (!newest || newest.ts <= series.newest) return;
    const reading = { s: sensor, t: newest.ts, ...contentOf(newest) };
    changeOf(deviceId).latest.push({ series, reading });
  });
  return [...changes.values()];
}

/** Whether the store holds this very row, and not another one of the same time. */
function isKept(row: Row, stored: StoredRow | undefined): boolean {
  return !stored || (stored.isOf?.(row) ?? false);
}

async function stretchOf(
  { readings }: StoreModels,
  { order, limit }: RangeQuery,
  { id, sensor, from, to }: SeriesStretch,
): Promise<Reading[]> {
  const found = await readings
    .find({ _id: { $gte: { s: id, t: from }, $lt: { s: id, t: to } } })
    .sort({ _id: order === 'asc' ? 1 : -1 })
    .limit(limit)
    .lean();
  return found.map((document) => readingOf(sensor, document._id.t, document));
}

function readingOf(sensor: string, ts: number, { v, u, l, r }: ReadingContent): Reading {
  const location = locationOf(l);
  return {
    sensor,
    ts,
    value: valueOf(v),
    ...(u === undefined ? {} : { unit: u }),
    ...(location === undefined ? {} : { location }),
    receivedAt: r,
  };
}
