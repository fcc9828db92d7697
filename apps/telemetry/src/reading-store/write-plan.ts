import { isDeepStrictEqual } from 'node:util';
import { parseBody, type LogEntry, type LogReading } from '../reading-log/log-body.ts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import type { WriteResult } from './reading-store.ts';

/** A reading of a write, and the message that it came in. */
export interface Row {
  seq: number;
  ts: number;
  receivedAt: number;
  reading: LogReading;
  tally: Tally;
  /** Later readings of the same write with the same sensor and time. */
  repeats?: Row[];
}

/** The rows of one sensor of one device: ascending by time, each time once. */
export interface SeriesRows {
  deviceId: string;
  sensor: string;
  rows: Row[];
}

/**
 * What one message did for one device, in readings. `received` is what the message carries; the others are what became of it, found
 * out row by row: that they add up to it is the proof that no row was lost in between.
 */
export interface Tally {
  deviceId: string;
  seq: number;
  received: number;
  stored: number;
  duplicate: number;
  conflict: number;
  rejected: number;
}

/** A row that is in the store. */
export interface StoredRow {
  value: unknown;
  unit: string | null;
  location: unknown;
  /** Whether this row of the plan is the one that was stored, by an earlier try to write its message. */
  isOf?: (row: Row) => boolean;
}

/** What is to be written for a number of messages. */
export interface WritePlan {
  series: SeriesRows[];
  tallies: Tally[];
  unreadable: WriteResult['unreadable'];
}

interface OpenSeries extends SeriesRows {
  ascending: boolean;
}

/** Sorts the readings of messages by series and time. Messages that are no log bodies are left out and named. */
export function planWrite(messages: readonly LogMessage[]): WritePlan {
  const devices = new Map<string, Map<string, OpenSeries>>();
  const tallies: Tally[] = [];
  const unreadable: WriteResult['unreadable'] = [];
  for (const message of messages) {
    const entries = entriesOf(message, unreadable);
    if (entries.length > 0) tallies.push(...addMessage(devices, message.seq, entries));
  }
  const series: SeriesRows[] = [];
  for (const sensors of devices.values()) {
    for (const open of sensors.values()) {
      if (!open.ascending) open.rows = withoutRepeats(open.rows);
      series.push(open);
    }
  }
  return { series, tallies, unreadable };
}

/** Counts a row, and what repeats it: the owner is stored, the others are duplicates of what is kept or conflict with it. */
export function tallyRow(row: Row, stored?: StoredRow): void {
  if (!stored && !row.repeats) {
    row.tally.stored += 1;
    return;
  }
  const candidates = row.repeats ? [row, ...row.repeats] : [row];
  const owner = stored ? candidates.find((candidate) => stored.isOf?.(candidate)) : row;
  const kept = stored ?? contentOf(row);
  for (const candidate of candidates) {
    if (candidate === owner) candidate.tally.stored += 1;
    else if (isSame(kept, contentOf(candidate))) candidate.tally.duplicate += 1;
    else candidate.tally.conflict += 1;
  }
}

/** The sum of tallies. */
export function resultOf(tallies: Iterable<Tally>, unreadable: WriteResult['unreadable']): WriteResult {
  const result: WriteResult = { stored: 0, duplicate: 0, conflict: 0, unreadable };
  for (const { stored, duplicate, conflict } of tallies) {
    result.stored += stored;
    result.duplicate += duplicate;
    result.conflict += conflict;
  }
  return result;
}

function entriesOf(message: LogMessage, unreadable: WriteResult['unreadable']): LogEntry[] {
  try {
    return parseBody(message.body);
  } catch (error) {
    unreadable.push({ message, reason: error instanceof Error ? error.message : String(error) });
    return [];
  }
}

function addMessage(devices: Map<string, Map<string, OpenSeries>>, seq: number, entries: LogEntry[]): Iterable<Tally> {
  const tallies = new Map<string, Tally>();
  for (const [deviceId, receivedAt, rejected, readings] of entries) {
    let tally = tallies.get(deviceId);
    if (!tally) {
      tally = { deviceId, seq, received: 0, stored: 0, duplicate: 0, conflict: 0, rejected: 0 };
      tallies.set(deviceId, tally);
    }
    tally.received += readings.length + rejected;
    tally.rejected += rejected;
    let sensors = devices.get(deviceId);
    if (!sensors) devices.set(deviceId, (sensors = new Map<string, OpenSeries>()));
    for (const reading of readings) addRow(sensors, { seq, ts: reading[1], receivedAt, reading, tally });
  }
  return tallies.values();
}

function addRow(sensors: Map<string, OpenSeries>, row: Row): void {
  const sensor = row.reading[0];
  const open = sensors.get(sensor);
  if (!open) {
    sensors.set(sensor, { deviceId: row.tally.deviceId, sensor, rows: [row], ascending: true });
    return;
  }
  if (open.ascending && row.ts <= (open.rows.at(-1)?.ts ?? -1)) open.ascending = false;
  open.rows.push(row);
}

function withoutRepeats(rows: Row[]): Row[] {
  const kept: Row[] = [];
  for (const row of rows.sort((a, b) => a.ts - b.ts)) {
    const last = kept.at(-1);
    if (last?.ts === row.ts) (last.repeats ??= []).push(row);
    else kept.push(row);
  }
  return kept;
}

function contentOf({ reading }: Row): StoredRow {
  return { value: reading[2], unit: reading[3] ?? null, location: reading[4] ?? null };
}

function isSame(a: StoredRow, b: StoredRow): boolean {
  return a.unit === b.unit && isSameJson(a.value, b.value) && isSameJson(a.location, b.location);
}

/** Equality of JSON values: members in any order, and 0 is -0. */
function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  return textA === textB || isDeepStrictEqual(JSON.parse(textA), JSON.parse(textB));
}
