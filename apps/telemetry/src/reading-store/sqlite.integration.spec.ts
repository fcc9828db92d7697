import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { endWorker, mortalWorker, tempDir, waitUntil, type TempDir } from '#testing';
import { bodyOf, entryText, type LogReading } from '../reading-log/log-body.ts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import { SqliteReadingStore } from './sqlite.adapter.ts';
import { openStoreFile } from './sqlite-store-file.ts';
import { SqliteStoreWriter } from './sqlite-store-write.ts';

const T = 1_760_000_000_000;

function messages(count: number, readings: number): LogMessage[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    body: bodyOf([
      entryText([
        `device ${String(index % 10)}`,
        T,
        0,
        Array.from({ length: readings }, (__, at): LogReading => ['s', T + index * readings + at, at]),
      ]),
    ]),
  }));
}

const all = { from: 0, to: T * 2, order: 'asc', limit: 10 } as const;

describe('the reading store on SQLite when something fails', () => {
  let folder: TempDir;
  let store: SqliteReadingStore;
  let workers: Worker[];

  beforeEach(async () => {
    folder = await tempDir();
    workers = [];
    store = new SqliteReadingStore({
      file: join(folder.path, 'readings.db'),
      logger: pino({ enabled: false }),
      createWorker: (url, options) => {
        const worker = mortalWorker(url, options);
        workers.push(worker);
        return worker;
      },
    });
    await store.start();
  });

  afterEach(async () => {
    await store.stop();
    await folder.remove();
  });

  test('its thread died with a write under way: it is unavailable, comes back, and counts the message once', async () => {
    const batch = messages(100, 500);
    const ended = endWorker(workers[0]);
    await expect(store.write('log', batch, 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await ended;
    await waitUntil(() => store.ping().then(() => true), { what: 'the thread runs again' });
    expect(await store.write('log', batch, 0)).toEqual({ stored: 50_000, duplicate: 0, conflict: 0, unreadable: [] });
    expect(await store.write('log', batch, 0)).toEqual({ stored: 0, duplicate: 0, conflict: 0, unreadable: [] });
  });

  test('answers questions while a large write is under way', async () => {
    await store.write('log', messages(1, 5), 0);
    let isWritten = false;
    const write = store.write('log', messages(300, 500), 0).then(() => (isWritten = true));
    expect(await store.range({ ...all, deviceId: 'device 0' })).toHaveLength(5);
    expect(isWritten).toBe(false);
    await write;
  });
});

describe('a store file on a full disk', () => {
  test('stores nothing of a write that does not fit, and all of it when there is space', async () => {
    const folder = await tempDir();
    const db = openStoreFile(join(folder.path, 'readings.db'), 'writer');
    const writer = new SqliteStoreWriter(db);
    writer.write('log', messages(1, 10), 0);
    const pages = Number(Object.values(db.prepare('pragma page_count').get([]) ?? {})[0]);
    db.exec(`pragma max_page_count = ${String(pages + 2)}`);
    const batch = messages(50, 100);
    expect(() => writer.write('log', batch, 0)).toThrow(expect.objectContaining({ code: 'SQLITE_FULL' }));
    db.exec('pragma max_page_count = 1000000');
    expect(writer.write('log', batch, 0)).toMatchObject({ stored: 4_900, duplicate: 0, conflict: 0 });
    db.close();
    await folder.remove();
  });
});
