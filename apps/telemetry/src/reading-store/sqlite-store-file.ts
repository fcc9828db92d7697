import Database from 'libsql';

const SCHEMA = `
  create table if not exists series (
    id integer primary key, device text not null, sensor text not null, unique (device, sensor));
  create table if not exists readings (
    series integer not null, t integer not null, v, u text, l text, r integer not null,
    primary key (series, t)) without rowid;
  create table if not exists ledger (
    device text primary key, received integer not null, stored integer not null, duplicate integer not null, conflict integer not null,
    rejected integer not null) without rowid;
  create table if not exists applied (seq integer primary key);
  create table if not exists applied_log (
    one integer primary key check (one = 1), id text not null, floor integer not null, writes integer not null);
`;

/** How long a connection waits for another one that writes, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens the store's file and makes its tables. A reading is stored under its series and time: `v` and `l` as sqlite-values.ts
 * says, `u` its unit, `r` when it was received. `applied` holds the messages above `floor` of the log `id` that are stored;
 * `writes` counts the writes.
 */
export function openStoreFile(file: string, role: 'writer' | 'reader'): Database.Database {
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory;');
  if (role === 'writer') {
    db.exec('pragma cache_size = -65536; pragma wal_autocheckpoint = 16000;');
    db.exec(SCHEMA);
  } else db.exec('pragma cache_size = -8192; pragma query_only = on;');
  return db;
}

/** A row as an object; libsql's typings say nothing of it. */
export function fieldsOf(row: unknown): Record<string, unknown> {
  return typeof row === 'object' && row !== null ? { ...row } : {};
}
