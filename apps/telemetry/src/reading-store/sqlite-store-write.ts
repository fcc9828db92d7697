import type Database from 'libsql';
import type { LogMessage } from '../reading-log/reading-log.ts';
import type { WriteResult } from './reading-store.ts';
import { fieldsOf } from './sqlite-store-file.ts';
import { locationCell, locationOf, valueCell, valueOf, type Cell } from './sqlite-values.ts';
import { planWrite, resultOf, tallyRow, type Row, type SeriesRows, type StoredRow, type Tally } from './write-plan.ts';

/** Rows of one insert; one statement with many rows is parsed once, and binds doubles exactly. */
const ROWS_PER_INSERT = [200, 20, 1];
/** Series kept in memory; above it they are looked up again. */
const MAX_KNOWN_SERIES = 200_000;

interface KnownSeries {
  id: number;
  /** Time of its newest reading; -1 without one. */
  newest: number;
}

/** Writes messages to the store's file, each call in one transaction. The only writer of the file. */
export class SqliteStoreWriter {
  readonly #db: Database.Database;
  readonly #inserts: { rows: number; statement: Database.Statement }[];
  readonly #addSeries: Database.Statement;
  readonly #findSeries: Database.Statement;
  readonly #newest: Database.Statement;
  readonly #stored: Database.Statement;
  readonly #addToLedger: Database.Statement;
  readonly #known = new Map<string, Map<string, KnownSeries>>();
  #knownCount = 0;
  /** How many writes the file had when what is known of series was true. */
  #writes = 0;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#inserts = ROWS_PER_INSERT.map((rows) => ({
      rows,
      statement: db.prepare(
        `insert into readings values ${Array.from({ length: rows }, () => '(?,?,?,?,?,?)').join()}`,
      ),
    }));
    this.#addSeries = db.prepare('insert into series (device, sensor) values (?, ?) returning id');
    this.#findSeries = db.prepare('select id from series where device = ? and sensor = ?');
    this.#newest = db.prepare('select t from readings where series = ? order by t desc limit 1');
    this.#stored = db.prepare(
      `select r.series, r.t, r.v, r.u, r.l from json_each(?) j cross join readings r
       where r.series = j.value ->> 0 and r.t = j.value ->> 1`,
    );
    this.#addToLedger = db.prepare(
      `insert into ledger values (?, ?, ?, ?, ?, ?) on conflict (device) do update set
       received = received + excluded.received, stored = stored + excluded.stored,
       duplicate = duplicate + excluded.duplicate, conflict = conflict + excluded.conflict,
       rejected = rejected + excluded.rejected`,
    );
  }

  write(logId: string, messages: readonly LogMessage[], floor: number): WriteResult {
    this.#db.exec('begin immediate');
    try {
      const result = this.#write(logId, messages, floor);
      this.#db.exec('commit');
      return result;
    } catch (error) {
      this.#forgetSeries();
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  #write(logId: string, messages: readonly LogMessage[], floor: number): WriteResult {
    const fresh = this.#notApplied(logId, messages, floor);
    const plan = planWrite(fresh);
    this.#markApplied(fresh, plan.unreadable);
    const bySeries = plan.series
      .map((series) => ({ series, known: this.#knownOf(series) }))
      .sort((a, b) => a.known.id - b.known.id);
    const stored = this.#storedRows(bySeries);
    const cells: Cell[] = [];
    for (const { series, known } of bySeries) addRows(cells, series, known, stored);
    this.#insert(cells);
    this.#count(plan.tallies);
    return resultOf(plan.tallies, plan.unreadable);
  }

  /** The messages that were not stored before. */
  #notApplied(logId: string, messages: readonly LogMessage[], floor: number): LogMessage[] {
    const log = fieldsOf(this.#db.prepare('select id, floor, writes from applied_log').get([]));
    const isSameLog = log['id'] === logId;
    const knownFloor = isSameLog ? Math.max(floor, Number(log['floor'])) : floor;
    if (!isSameLog) this.#db.exec('delete from applied');
    const writes = this.#nextWrite(Number(log['writes'] ?? 0));
    this.#db.prepare('insert or replace into applied_log values (1, ?, ?, ?)').run([logId, knownFloor, writes]);
    this.#db.prepare('delete from applied where seq <= ?').run([knownFloor]);
    const isApplied = this.#db.prepare('select 1 from applied where seq = ?');
    return messages.filter(({ seq }) => seq > knownFloor && isApplied.get([seq]) === undefined);
  }

  /** What could not be read is not stored: it is named again when it comes again. */
  #markApplied(messages: readonly LogMessage[], unreadable: WriteResult['unreadable']): void {
    const left = new Set(unreadable.map(({ message }) => message.seq));
    const mark = this.#db.prepare('insert or ignore into applied values (?)');
    for (const { seq } of messages) if (!left.has(seq)) mark.run([seq]);
  }

  #knownOf({ deviceId, sensor }: SeriesRows): KnownSeries {
    let sensors = this.#known.get(deviceId);
    if (!sensors) this.#known.set(deviceId, (sensors = new Map<string, KnownSeries>()));
    const known = sensors.get(sensor);
    if (known) return known;
    const found = this.#findSeries.get([deviceId, sensor]) ?? this.#addSeries.get([deviceId, sensor]);
    const id = Number(fieldsOf(found)['id']);
    const newest = fieldsOf(this.#newest.get([id]))['t'];
    const series = { id, newest: newest === undefined ? -1 : Number(newest) };
    sensors.set(sensor, series);
    this.#knownCount += 1;
    return series;
  }

  /** The rows that are there already; only those not newer than the newest of their series can be. */
  #storedRows(bySeries: readonly { series: SeriesRows; known: KnownSeries }[]): Map<string, StoredRow> {
    const keys: [number, number][] = [];
    for (const { series, known } of bySeries) {
      for (const { ts } of series.rows) if (ts <= known.newest) keys.push([known.id, ts]);
    }
    const stored = new Map<string, StoredRow>();
    if (keys.length === 0) return stored;
    for (const row of this.#stored.iterate([JSON.stringify(keys)])) {
      const { series, t, v, u, l } = fieldsOf(row);
      const unit = typeof u === 'string' ? u : null;
      stored.set(keyOf(Number(series), Number(t)), { value: valueOf(v), unit, location: locationOf(l) ?? null });
    }
    return stored;
  }

  #insert(cells: Cell[]): void {
    let at = 0;
    for (const { rows, statement } of this.#inserts) {
      const width = rows * 6;
      for (; at + width <= cells.length; at += width) statement.run(cells.slice(at, at + width));
    }
  }

  #count(tallies: readonly Tally[]): void {
    const devices = new Map<string, number[]>();
    for (const { deviceId, received, stored, duplicate, conflict, rejected } of tallies) {
      const sums = devices.get(deviceId) ?? [0, 0, 0, 0, 0];
      const counts = [received, stored, duplicate, conflict, rejected];
      devices.set(
        deviceId,
        counts.map((count, index) => count + (sums[index] ?? 0)),
      );
    }
    for (const [deviceId, counts] of devices) this.#addToLedger.run([deviceId, ...counts]);
  }

  /** The number of this write. What is known of series is void once another connection has written to the file. */
  #nextWrite(writes: number): number {
    if (writes !== this.#writes || this.#knownCount > MAX_KNOWN_SERIES) this.#forgetSeries();
    this.#writes = writes + 1;
    return this.#writes;
  }

  #forgetSeries(): void {
    this.#known.clear();
    this.#knownCount = 0;
  }
}

const keyOf = (series: number, ts: number): string => `${String(series)} ${String(ts)}`;

function addRows(cells: Cell[], series: SeriesRows, known: KnownSeries, stored: Map<string, StoredRow>): void {
  const { newest } = known;
  for (const row of series.rows) {
    const before = row.ts <= newest ? stored.get(keyOf(known.id, row.ts)) : undefined;
    tallyRow(row, before);
    if (!before) addRow(cells, known.id, row);
    if (row.ts > known.newest) known.newest = row.ts;
  }
}

function addRow(cells: Cell[], series: number, { ts, receivedAt, reading }: Row): void {
  cells.push(series, ts, valueCell(reading[2]), reading[3] ?? null, locationCell(reading[4]), receivedAt);
}
