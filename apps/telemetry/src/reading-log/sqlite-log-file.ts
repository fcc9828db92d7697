import { randomUUID } from 'node:crypto';
import Database from 'libsql';
import type { DeadLetter, LogMessage } from './reading-log.ts';

const SCHEMA = `
  create table if not exists messages (seq integer primary key, size integer not null, body text not null);
  create table if not exists state (one integer primary key check (one = 1), id text not null, floor integer not null);
  create table if not exists dead_letters (
    id integer primary key autoincrement, at integer not null, reason text not null, body text not null);
`;

const BUSY_TIMEOUT_MS = 1_000;

/** What a log file holds when it is opened. */
export interface LogFileState {
  id: string;
  /** Every message up to this one was removed. */
  floor: number;
  /** The newest message ever appended. */
  last: number;
  messages: number;
  bytes: number;
}

/**
 * The append-only file: `seq` ascends by one for each message and is never used twice, since `floor` outlives what was
 * removed. Every method is one durable transaction (synchronous=FULL) or a read. Belongs to one thread of one process.
 */
export class SqliteLogFile {
  /** The open database. */
  readonly db: Database.Database;
  readonly #insert: Database.Statement;
  readonly #readSizes: Database.Statement;
  readonly #readBodies: Database.Statement;
  readonly #id: string;
  #next: number;
  #floor: number;

  /** Opens or creates the file. Throws if it cannot be used, or if another process has it open. */
  constructor(file: string) {
    this.db = openAlone(file);
    this.db.exec(SCHEMA);
    this.db.prepare('insert or ignore into state values (1, ?, 0)').run([randomUUID()]);
    const state = rowOf(this.db.prepare('select id, floor from state'), []);
    this.#id = String(state?.['id']);
    this.#floor = Number(state?.['floor']);
    this.#insert = this.db.prepare('insert into messages (seq, size, body) values (?, ?, ?)');
    this.#readSizes = this.db.prepare('select seq, size from messages where seq > ? order by seq limit 20000');
    this.#readBodies = this.db.prepare('select seq, body from messages where seq > ? and seq <= ? order by seq');
    this.#next = this.#nextSeq();
  }

  state(): LogFileState {
    const totals = rowOf(this.db.prepare('select count(*) as messages, total(size) as bytes from messages'), []);
    return {
      id: this.#id,
      floor: this.#floor,
      last: this.#next - 1,
      messages: Number(totals?.['messages']),
      bytes: Number(totals?.['bytes']),
    };
  }

  /** Appends a message and gives its `seq`. */
  append(body: string, size: number): number {
    try {
      this.#insert.run([this.#next, size, body]);
    } catch (error) {
      this.#next = this.#nextSeq();
      throw error;
    }
    return this.#next++;
  }

  /** Messages behind `after`, up to about `maxBytes` but at least one if there is any. */
  read(after: number, upTo: number, maxBytes: number): LogMessage[] {
    const end = this.#endOf(after, upTo, maxBytes);
    return this.#readBodies.all([after, end]).map(messageOf);
  }

  /** Removes messages up to `upTo`, about `maxBytes` of them. Gives the new floor. */
  forget(upTo: number, maxBytes: number): number {
    const end = this.#endOf(this.#floor, upTo, maxBytes);
    if (end <= this.#floor) return (this.#floor = this.#advance(Math.min(upTo, this.#next - 1)));
    this.#transaction(() => {
      this.db.prepare('delete from messages where seq <= ?').run([end]);
      this.db.prepare('update state set floor = ?').run([end]);
    });
    return (this.#floor = end);
  }

  bury(body: string, reason: string, at: number): void {
    this.db.prepare('insert into dead_letters (at, reason, body) values (?, ?, ?)').run([at, reason, body]);
  }

  deadLetters(after: number, limit: number): DeadLetter[] {
    return this.db
      .prepare('select id, at, reason, body from dead_letters where id > ? order by id limit ?')
      .all([after, limit])
      .map(deadLetterOf);
  }

  /** Moves a dead letter to the end of the log; gives its message, or undefined if there is none with this id. */
  replay(id: number): (LogMessage & { size: number }) | undefined {
    const found = rowOf(this.db.prepare('select body from dead_letters where id = ?'), [id]);
    if (!found) return undefined;
    const body = String(found['body']);
    const size = Buffer.byteLength(body);
    return this.#transaction(() => {
      const seq = this.append(body, size);
      this.db.prepare('delete from dead_letters where id = ?').run([id]);
      return { seq, body, size };
    });
  }

  close(): void {
    this.db.exec('pragma wal_checkpoint(truncate)');
    this.db.close();
  }

  /** The last message of a stretch of about `maxBytes` behind `after`; `after` itself if there is none. */
  #endOf(after: number, upTo: number, maxBytes: number): number {
    let end = after;
    let bytes = 0;
    for (const row of this.#readSizes.iterate([after])) {
      const { seq, size } = sizeOf(row);
      if (seq > upTo || (bytes > 0 && bytes + size > maxBytes)) break;
      end = seq;
      bytes += size;
    }
    return end;
  }

  #advance(floor: number): number {
    if (floor <= this.#floor) return this.#floor;
    this.db.prepare('update state set floor = ?').run([floor]);
    return floor;
  }

  #nextSeq(): number {
    const row = rowOf(this.db.prepare('select max(seq) as seq from messages'), []);
    return Math.max(Number(row?.['seq'] ?? 0), this.#floor) + 1;
  }

  #transaction<T>(work: () => T): T {
    this.db.exec('begin immediate');
    try {
      const result = work();
      this.db.exec('commit');
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('rollback');
      this.#next = this.#nextSeq();
      throw error;
    }
  }
}

function openAlone(file: string): Database.Database {
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec('pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full;');
    db.exec('pragma wal_autocheckpoint = 4000; pragma cache_size = -8192;');
    return db;
  } catch (error) {
    db.close();
    if (!(error instanceof Database.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error;
    throw new Error(`${file} is in use: only one process at a time can have it open`, { cause: error });
  }
}

function rowOf(statement: Database.Statement, params: unknown[]): Record<string, unknown> | undefined {
  const row = statement.get(params);
  return typeof row === 'object' && row !== null ? { ...row } : undefined;
}

function fieldsOf(row: unknown): Record<string, unknown> {
  return typeof row === 'object' && row !== null ? { ...row } : {};
}

function sizeOf(row: unknown): { seq: number; size: number } {
  const { seq, size } = fieldsOf(row);
  return { seq: Number(seq), size: Number(size) };
}

function messageOf(row: unknown): LogMessage {
  const { seq, body } = fieldsOf(row);
  return { seq: Number(seq), body: String(body) };
}

function deadLetterOf(row: unknown): DeadLetter {
  const { id, at, reason, body } = fieldsOf(row);
  return { id: Number(id), at: Number(at), reason: String(reason), body: String(body) };
}
