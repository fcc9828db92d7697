import type Database from 'libsql';
import type { Reading } from '#contracts';
import { pageOf, type SeriesStretch, stretchesOf } from './range-page.ts';
import type { RangeQuery, StoredLedger } from './reading-store.ts';
import { fieldsOf } from './sqlite-store-file.ts';
import { locationOf, valueOf } from './sqlite-values.ts';

/** A device's ledger, and the messages of the log `logId` that are stored: all up to `floor`, and `applied`. */
export interface LedgerRow {
  counts: StoredLedger['counts'];
  logId: string;
  floor: number;
  applied: number[];
}

/** Reads the store's file. */
export class SqliteStoreReader {
  readonly #db: Database.Database;
  readonly #series: Database.Statement;
  readonly #newest: Database.Statement;
  readonly #ranges: Record<RangeQuery['order'], Database.Statement>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#series = db.prepare('select id, sensor from series where device = ? order by sensor');
    this.#newest = db.prepare('select t, v, u, l, r from readings where series = ? order by t desc limit 1');
    const range = (order: string) =>
      db.prepare(
        `select t, v, u, l, r from readings where series = ? and t >= ? and t < ? order by t ${order} limit ?`,
      );
    this.#ranges = { asc: range('asc'), desc: range('desc') };
  }

  latest(deviceId: string, sensors?: readonly string[]): Reading[] {
    return this.#seriesOf(deviceId)
      .filter(({ sensor }) => !sensors || sensors.includes(sensor))
      .flatMap(({ id, sensor }) => this.#newest.all([id]).map((row) => readingOf(sensor, row)));
  }

  range(query: RangeQuery): Reading[] {
    return pageOf(
      query,
      stretchesOf(query, this.#seriesOf(query.deviceId)).map((stretch) => this.#stretch(query, stretch)),
    );
  }

  /** The device's ledger, and what of the log is part of it, both of the same moment. */
  ledger(deviceId: string): LedgerRow {
    this.#db.exec('begin');
    try {
      const row = fieldsOf(this.#db.prepare('select * from ledger where device = ?').get([deviceId]));
      const log = fieldsOf(this.#db.prepare('select id, floor from applied_log').get([]));
      const applied = this.#db.prepare('select seq from applied').all([]);
      return {
        counts: countsOf(row),
        logId: typeof log['id'] === 'string' ? log['id'] : '',
        floor: Number(log['floor'] ?? 0),
        applied: applied.map((seq) => Number(fieldsOf(seq)['seq'])),
      };
    } finally {
      this.#db.exec('commit');
    }
  }

  #stretch({ order, limit }: RangeQuery, { id, sensor, from, to }: SeriesStretch): Reading[] {
    return this.#ranges[order].all([id, from, to, limit]).map((row) => readingOf(sensor, row));
  }

  #seriesOf(deviceId: string): { id: number; sensor: string }[] {
    return this.#series.all([deviceId]).map((row) => {
      const { id, sensor } = fieldsOf(row);
      return { id: Number(id), sensor: String(sensor) };
    });
  }
}

function countsOf(row: Record<string, unknown>): StoredLedger['counts'] {
  const count = (name: string) => Number(row[name] ?? 0);
  return {
    received: count('received'),
    stored: count('stored'),
    duplicate: count('duplicate'),
    conflict: count('conflict'),
    rejected: count('rejected'),
  };
}

function readingOf(sensor: string, row: unknown): Reading {
  const { t, v, u, l, r } = fieldsOf(row);
  const location = locationOf(l);
  return {
    sensor,
    ts: Number(t),
    value: valueOf(v),
    ...(typeof u === 'string' ? { unit: u } : {}),
    ...(location === undefined ? {} : { location }),
    receivedAt: Number(r),
  };
}
