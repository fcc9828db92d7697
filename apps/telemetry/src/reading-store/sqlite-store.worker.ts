import type { LogMessage } from '../reading-log/reading-log.ts';
import { givenText, serveCalls } from '../worker-thread/serve-calls.ts';
import type { RangeQuery } from './reading-store.ts';
import { openStoreFile } from './sqlite-store-file.ts';
import { SqliteStoreReader } from './sqlite-store-read.ts';
import { SqliteStoreWriter } from './sqlite-store-write.ts';

const role = givenText('role') === 'writer' ? 'writer' : 'reader';
const db = openStoreFile(givenText('file'), role);
const reader = new SqliteStoreReader(db);
const writer = role === 'writer' ? new SqliteStoreWriter(db) : undefined;

const calls = {
  write: (logId: string, messages: readonly LogMessage[], floor: number) => {
    if (!writer) throw new Error('this thread reads only');
    return writer.write(logId, messages, floor);
  },
  latest: (deviceId: string, sensors?: readonly string[]) => reader.latest(deviceId, sensors),
  range: (query: RangeQuery) => reader.range(query),
  ledger: (deviceId: string) => reader.ledger(deviceId),
  ping: () => {
    db.prepare('select 1').get([]);
  },
  close: () => {
    if (writer) db.exec('pragma wal_checkpoint(truncate)');
    db.close();
  },
};

/** The functions of the threads that work the store's file. */
export type SqliteStoreCalls = typeof calls;

serveCalls(calls);
