import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { endWorker, mortalWorker, tempDir, waitUntil, type TempDir } from '#testing';
import { SqliteLogFile } from './sqlite-log-file.ts';
import { SqliteReadingLog } from './sqlite.adapter.ts';

const never = new AbortController().signal;

describe('the reading log on SQLite when something fails', () => {
  let folder: TempDir;
  let file: string;
  let log: SqliteReadingLog;
  let workers: Worker[];

  beforeEach(async () => {
    folder = await tempDir();
    file = join(folder.path, 'log.db');
    workers = [];
    log = new SqliteReadingLog({
      file,
      maxBytes: 134_217_728,
      logger: pino({ enabled: false }),
      createWorker: (url, options) => {
        const worker = mortalWorker(url, options);
        workers.push(worker);
        return worker;
      },
    });
    await log.start();
  });

  afterEach(async () => {
    await log.stop();
    await folder.remove();
  });

  const drainAll = async (count: number): Promise<string[]> => {
    const bodies: string[] = [];
    while (bodies.length < count) {
      const drain = await log.drain({ maxBytes: 1_048_576, lingerMs: 5, signal: never });
      bodies.push(...(drain?.messages ?? []).map(({ body }) => body));
      await drain?.ack();
    }
    return bodies;
  };

  test('its thread died: appends in flight are refused, what was taken is kept, and it goes on', async () => {
    const taken: string[] = [];
    const settled = Array.from({ length: 300 }, (_, index) => `body ${String(index)}`).map((body) =>
      log.append(body).then(
        () => taken.push(body),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
        },
      ),
    );
    await waitUntil(() => taken.length > 5, { what: 'some are taken', everyMs: 1 });
    await endWorker(workers[0]);
    await Promise.all(settled);
    await waitUntil(() => log.append('after').then(() => true), { what: 'it takes more' });
    const found = await drainAll(taken.length + 1);
    expect(found).toEqual(expect.arrayContaining([...taken, 'after']));
    expect(new Set(found).size).toBe(found.length);
  });

  test('a second process finds the file in use', async () => {
    const second = new SqliteReadingLog({ file, maxBytes: 1_000, logger: pino({ enabled: false }) });
    await expect(second.start()).rejects.toThrow(/is in use: only one process/);
    await log.append('a');
  });

  test('a backlog larger than its memory comes back in order', async () => {
    const bodies = Array.from({ length: 160 }, (_, index) => String(index).padEnd(262_144, '.'));
    for (const body of bodies) await log.append(body);
    const names = (await drainAll(bodies.length)).map((body) => Number.parseInt(body, 10));
    expect(names).toEqual(bodies.map((_, index) => index));
  });

  test('a file in a folder that is not there is one clear error', async () => {
    const lost = new SqliteReadingLog({
      file: join(folder.path, 'no', 'log.db'),
      maxBytes: 1_000,
      logger: pino({ enabled: false }),
    });
    await expect(lost.start()).rejects.toThrow(/unable to open/i);
  });
});

describe('a log file on a full disk', () => {
  test('refuses what does not fit, keeps the rest, and goes on when there is space', async () => {
    const folder = await tempDir();
    const file = new SqliteLogFile(join(folder.path, 'log.db'));
    const first = file.append('a', 1);
    file.db.exec('pragma max_page_count = 10');
    const large = 'x'.repeat(100_000);
    expect(() => file.append(large, large.length)).toThrow(expect.objectContaining({ code: 'SQLITE_FULL' }));
    expect(() => file.append(large, large.length)).toThrow(expect.objectContaining({ code: 'SQLITE_FULL' }));
    file.db.exec('pragma max_page_count = 100000');
    expect(file.append(large, large.length)).toBe(first + 1);
    expect(file.read(0, 99, Infinity).map(({ seq }) => seq)).toEqual([first, first + 1]);
    file.close();
    await folder.remove();
  });

  test('uses the space of removed messages again', async () => {
    const folder = await tempDir();
    const file = new SqliteLogFile(join(folder.path, 'log.db'));
    const body = 'x'.repeat(50_000);
    const pages = () => Number(Object.values(file.db.prepare('pragma page_count').get([]) ?? {})[0]);
    let largest = 0;
    for (let round = 0; round < 10; round += 1) {
      for (let count = 0; count < 20; count += 1) file.append(body, body.length);
      const { last } = file.state();
      while (file.forget(last, 300_000) < last);
      if (round === 0) largest = pages();
    }
    expect(pages()).toBeLessThanOrEqual(largest + 2);
    expect(file.state()).toMatchObject({ messages: 0, bytes: 0, last: 200, floor: 200 });
    file.close();
    await folder.remove();
  });
});
