import { join } from 'node:path';
import Database from 'libsql';
import { groupsOfRows } from './rows.ts';

const ROWS_IN_TRANSACTION = 50_000;

/** A batch of 80 readings in a log body, about. */
const LOG_BODY = 'x'.repeat(8_192);
const READINGS_IN_BODY = 80;

/** Rows a second into SQLite, in synced transactions of 50,000 in key order, and nothing else. */
export function sqliteInserts(folder: string, { series, seconds }: { series: number; seconds: number }): number {
  const db = open(join(folder, `raw-${series}.db`));
  db.exec(`pragma cache_size = -65536; pragma wal_autocheckpoint = 16000;
    create table readings (series integer not null, t integer not null, v, u text, l text, r integer not null,
      primary key (series, t)) without rowid;`);
  const insert = db.prepare(
    'insert into readings select value ->> 0, value ->> 1, value ->> 2, null, null, value ->> 3 from json_each(?)',
  );
  const rate = ratePerSecond(seconds, groupsOfRows(series, ROWS_IN_TRANSACTION), (group) => {
    insert.run([JSON.stringify(group)]);
    return group.length;
  });
  db.close();
  return rate;
}

/** Readings a second into an append-only SQLite file, one synced commit for each body of 80, one after the other. */
export function sqliteAppends(folder: string, { seconds }: { seconds: number }): number {
  const db = open(join(folder, 'raw-log.db'));
  db.exec('pragma wal_autocheckpoint = 4000; create table messages (seq integer primary key, body text not null);');
  const insert = db.prepare('insert into messages (body) values (?)');
  const rate = ratePerSecond(seconds, endless(LOG_BODY), (body) => {
    insert.run([body]);
    return READINGS_IN_BODY;
  });
  db.close();
  return rate;
}

function open(file: string): Database.Database {
  const db = new Database(file);
  db.exec('pragma journal_mode = wal; pragma synchronous = full;');
  return db;
}

function* endless<T>(value: T): Generator<T, never> {
  for (;;) yield value;
}

/** Only the work itself is timed, not the making of what it works on. */
function ratePerSecond<T>(seconds: number, groups: Iterable<T>, work: (group: T) => number): number {
  let done = 0;
  let busyMs = 0;
  for (const group of groups) {
    const start = performance.now();
    done += work(group);
    busyMs += performance.now() - start;
    if (busyMs >= seconds * 1_000) break;
  }
  return (done / busyMs) * 1_000;
}
