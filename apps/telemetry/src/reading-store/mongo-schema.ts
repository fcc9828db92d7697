import { Schema, type Connection } from 'mongoose';
import type { StoredValue } from './mongo-values.ts';

/** A sensor of a device; `_id` is given once, from the counter `series`. */
export interface SeriesDocument {
  _id: number;
  d: string;
  s: string;
}

/** Where a reading is stored: series and time, ms since the epoch. The order of the fields is the order of the index. */
export interface ReadingKey {
  s: number;
  t: number;
}

/** What is kept of a reading beside its key; values as mongo-values.ts says, `u` unit, `l` location, `r` time received. */
export interface ReadingContent {
  v: StoredValue;
  u?: string;
  l?: StoredValue;
  r: number;
}

/** `m` is the position in the log of the message that stored it: with `r` it tells a redelivered message its own rows. */
export interface ReadingDocument extends ReadingContent {
  _id: ReadingKey;
  m: number;
}

/** The newest reading of a series: `s` the sensor, `t` its time. */
export interface LatestReading extends ReadingContent {
  s: string;
  t: number;
}

/**
 * What is known of a device (`_id`): its ledger; which messages of the log `log` are counted in it, namely all up to `floor`
 * and those in `applied`; and the newest reading of each of its series, by the series' id. One document, so that one atomic
 * update counts a message and advances what is newest.
 */
export interface DeviceDocument {
  _id: string;
  received: number;
  stored: number;
  duplicate: number;
  conflict: number;
  rejected: number;
  log: string;
  floor: number;
  applied: number[];
  latest?: Record<string, LatestReading>;
}

export interface CounterDocument {
  _id: string;
  last: number;
}

const { Mixed } = Schema.Types;
const plain = { id: false, versionKey: false, autoIndex: false, autoCreate: false } as const;

const seriesSchema = new Schema<SeriesDocument>({ _id: Number, d: String, s: String }, plain).index(
  { d: 1, s: 1 },
  { unique: true },
);
const readingSchema = new Schema<ReadingDocument>(
  { _id: Mixed, v: Mixed, u: String, l: Mixed, r: Number, m: Number },
  plain,
);
const deviceSchema = new Schema<DeviceDocument>(
  {
    _id: String,
    received: Number,
    stored: Number,
    duplicate: Number,
    conflict: Number,
    rejected: Number,
    log: String,
    floor: Number,
    applied: [Number],
    latest: Mixed,
  },
  plain,
);
const counterSchema = new Schema<CounterDocument>({ _id: String, last: Number }, plain);

/**
 * The collections of the store: models for the schema, the index and queries, and under `bulk` the driver's own for bulk writes,
 * which mongoose would cast document by document.
 */
export function storeModels(connection: Connection) {
  return {
    series: connection.model('Series', seriesSchema, 'series'),
    readings: connection.model('Reading', readingSchema, 'readings'),
    devices: connection.model('Device', deviceSchema, 'devices'),
    counters: connection.model('Counter', counterSchema, 'counters'),
    bulk: {
      series: connection.collection<SeriesDocument>('series'),
      readings: connection.collection<ReadingDocument>('readings'),
      devices: connection.collection<DeviceDocument>('devices'),
    },
  };
}
export type StoreModels = ReturnType<typeof storeModels>;
