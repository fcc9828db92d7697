import type { Ledger, Reading } from '#contracts';
import type { LogMessage } from '../reading-log/reading-log.ts';

/** Injection symbol of the {@link ReadingStore}. */
export const READING_STORE = Symbol('READING_STORE');

/** What a write did, in readings; `unreadable` are messages that could not be parsed and were left out. */
export interface WriteResult {
  stored: number;
  duplicate: number;
  conflict: number;
  unreadable: { message: LogMessage; reason: string }[];
}

/** What the store knows of a device's ledger; the log knows what is queued. */
export interface StoredLedger {
  counts: Omit<Ledger, 'queued'>;
  /**
   * Is this message, which the log still holds, part of these counts already? (Written, but not acknowledged yet.) Taken
   * together with the counts, so that the ledger of a device under load adds up.
   */
  includes(logId: string, seq: number): boolean;
}

/** A stretch of one device's readings in order of time, then of sensor name. */
export interface RangeQuery {
  deviceId: string;
  /** Undefined: all sensors of the device. */
  sensor?: string;
  /** Inclusive, ms since the epoch. */
  from: number;
  /** Exclusive, ms since the epoch. */
  to: number;
  order: 'asc' | 'desc';
  limit: number;
  /** The last reading of the page before: the answer starts behind it. */
  after?: { ts: number; sensor: string };
}

/**
 * Where readings are kept. Two adapters: MongoDB and SQLite; one contract suite runs against both.
 * A reading is identified by device, sensor and timestamp; the first one stored wins.
 */
export interface ReadingStore {
  /** Opens the store and makes its schema. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Stores the readings of these messages of the log `logId` and counts them in the ledgers, durably once resolved.
   * Exactly once for each (logId, seq): a message written before, in whole or in part, by this writer or another one, adds
   * only what is missing, and is counted once. An equal reading of another message is a duplicate, an unequal one a conflict.
   * `floor`: no message up to it will ever come again.
   * Rejects with `UNAVAILABLE` while the store cannot be written; any other error means that something in these messages
   * cannot be stored, however often it is tried.
   */
  write(logId: string, messages: readonly LogMessage[], floor: number): Promise<WriteResult>;
  /** The newest reading by `ts` of each sensor, or of the named ones. */
  latest(deviceId: string, sensors?: readonly string[]): Promise<Reading[]>;
  range(query: RangeQuery): Promise<Reading[]>;
  ledger(deviceId: string): Promise<StoredLedger>;
  /** Throws if the store cannot be reached. */
  ping(): Promise<void>;
}
