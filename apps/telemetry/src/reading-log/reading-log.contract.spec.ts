import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { describeWith, startNats, tempDir, waitUntil, type OwnServer } from '#testing';
import { pino } from 'pino';
import { JetStreamReadingLog } from './jetstream.adapter.ts';
import type { Drain, LogMessage, ReadingLog } from './reading-log.ts';
import { SqliteReadingLog } from './sqlite.adapter.ts';

const logger = pino({ enabled: false });
const KIB = 1_024;
const never = new AbortController().signal;

/** A place where logs can be opened, one after the other or, if `shared`, several at once. */
interface Place {
  open(maxBytes?: number): ReadingLog;
  remove(): Promise<void>;
}

const drainOptions = { maxBytes: 4 * KIB * KIB, lingerMs: 20, signal: never };

async function drainOf(log: ReadingLog, options: Partial<typeof drainOptions> = {}): Promise<Drain> {
  const drain = await log.drain({ ...drainOptions, ...options });
  if (!drain) throw new Error('the drain was ended');
  return drain;
}

async function drainAll(
  log: ReadingLog,
  count: number,
  options: Partial<typeof drainOptions> = {},
): Promise<LogMessage[]> {
  const messages: LogMessage[] = [];
  while (messages.length < count) {
    const drain = await drainOf(log, options);
    messages.push(...drain.messages);
    await drain.ack();
  }
  return messages;
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const bodies = (messages: readonly LogMessage[]) => messages.map(({ body }) => body);
const seqs = (messages: readonly LogMessage[]) => messages.map(({ seq }) => seq);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `{"n":${String(index)}}`);

async function appendAll(log: ReadingLog, texts: readonly string[]): Promise<void> {
  for (const text of texts) await log.append(text);
}

/** Appends until the log refuses; gives what it took. */
async function fill(log: ReadingLog, body: string, atMost: number): Promise<number> {
  for (let count = 0; count < atMost; count += 1) {
    try {
      await log.append(body);
    } catch (error) {
      expect(error).toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
      return count;
    }
  }
  throw new Error(`the log took ${String(atMost)} bodies and was not full`);
}

function readingLogContract(makePlace: () => Promise<Place>): void {
  let place: Place;
  let log: ReadingLog;
  let others: ReadingLog[];

  const reopen = async (): Promise<void> => {
    await log.stop();
    log = place.open();
    await log.start();
  };

  beforeEach(async () => {
    place = await makePlace();
    others = [];
    log = place.open();
    await log.start();
  });

  afterEach(async () => {
    for (const other of [log, ...others]) await other.stop();
    await place.remove();
  });

  test('hands out what was appended, in order, with ascending positions', async () => {
    const texts = numbered(50);
    await appendAll(log, texts);
    const messages = await drainAll(log, 50);
    expect(bodies(messages)).toEqual(texts);
    expect(seqs(messages)).toEqual([...seqs(messages)].sort((a, b) => a - b));
    expect(new Set(seqs(messages)).size).toBe(50);
  });

  test('keeps any text exactly', async () => {
    const texts = ['', 'ä€😀', '"\\u0000"', '{"long":"' + 'x'.repeat(300 * KIB) + '"}', "'; drop table messages; --"];
    await appendAll(log, texts);
    expect(bodies(await drainAll(log, texts.length))).toEqual(texts);
  });

  test('takes as many appends at once as it names, and keeps them all', async () => {
    const texts = numbered(200);
    await Promise.all(texts.map((text) => log.append(text)));
    expect(bodies(await drainAll(log, 200)).sort()).toEqual([...texts].sort());
  });

  test('sees an append that was made before any writer ran', async () => {
    await log.append('early');
    await reopen();
    expect(bodies(await drainAll(log, 1))).toEqual(['early']);
  });

  test('waits for messages', async () => {
    const drain = drainOf(log);
    await log.append('late');
    expect(bodies((await drain).messages)).toEqual(['late']);
  });

  test('ends a waiting drain when its signal is aborted', async () => {
    const controller = new AbortController();
    const drain = log.drain({ ...drainOptions, signal: controller.signal });
    controller.abort();
    await expect(drain).resolves.toBeUndefined();
    await expect(log.drain({ ...drainOptions, signal: controller.signal })).resolves.toBeUndefined();
  });

  test('loses nothing to a drain that was ended', async () => {
    const controller = new AbortController();
    const drain = log.drain({ ...drainOptions, signal: controller.signal });
    controller.abort();
    await drain;
    await log.append('kept');
    expect(bodies(await drainAll(log, 1))).toEqual(['kept']);
  });

  test('gathers company for a while', async () => {
    const drain = drainOf(log, { lingerMs: 5_000, maxBytes: 5 * KIB });
    await appendAll(
      log,
      ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(KIB)),
    );
    expect((await drain).messages.length).toBeGreaterThan(1);
  });

  test('hands out about as many bytes as asked for, and at least one message', async () => {
    const texts = Array.from({ length: 10 }, (_, index) => String(index).repeat(KIB));
    await appendAll(log, texts);
    const small = await drainOf(log, { maxBytes: 10 });
    expect(bodies(small.messages)).toEqual(texts.slice(0, 1));
    await small.ack();
    const some = await drainOf(log, { maxBytes: 4 * KIB });
    expect(some.messages.length).toBeGreaterThanOrEqual(1);
    expect(some.messages.length).toBeLessThanOrEqual(4);
    await some.ack();
  });

  test('delivers what was released again, with the same positions', async () => {
    await appendAll(log, ['a', 'b']);
    const drain = await drainOf(log);
    await log.append('c');
    await drain.release();
    const again = await drainAll(log, 3);
    expect(bodies(again).sort()).toEqual(['a', 'b', 'c']);
    const released = again.filter(({ body }) => body !== 'c');
    expect(seqs(released).sort()).toEqual(seqs(drain.messages).sort());
  });

  test('gives two drains at once different messages', async () => {
    await appendAll(log, numbered(20));
    const first = await drainOf(log, { maxBytes: 60 });
    const second = await drainOf(log, { maxBytes: 60 });
    expect(seqs(first.messages).filter((seq) => seqs(second.messages).includes(seq))).toEqual([]);
    await second.ack();
    await first.release();
    const rest = await drainAll(log, 20 - second.messages.length);
    expect(bodies([...second.messages, ...rest]).sort()).toEqual(numbered(20).sort());
  });

  test('forgets what was acknowledged, and only that', async () => {
    await appendAll(log, ['a', 'b', 'c']);
    const drain = await drainOf(log, { maxBytes: 1 });
    await drain.ack();
    await waitUntil(async () => (await log.backlog()).messages === 2, { what: 'one message is forgotten' });
    await reopen();
    expect(bodies(await drainAll(log, 2))).toEqual(['b', 'c']);
  });

  test('keeps unacknowledged messages when it is closed and opened', async () => {
    await appendAll(log, numbered(30));
    const { id } = log;
    await reopen();
    expect(log.id).toBe(id);
    expect((await log.backlog()).messages).toBe(30);
    expect(bodies(await drainAll(log, 30))).toEqual(numbered(30));
  });

  test('never uses a position twice, even after everything was forgotten', async () => {
    await appendAll(log, ['a', 'b']);
    const before = await drainAll(log, 2);
    expect(await log.settled(5_000)).toBe(true);
    await reopen();
    await log.append('c');
    const after = await drainAll(log, 1);
    expect(after[0]?.seq).toBeGreaterThan(before[1]?.seq ?? Infinity);
  });

  test('raises the floor behind what was acknowledged, and never above what may come again', async () => {
    await appendAll(log, ['a', 'b', 'c']);
    const first = await drainOf(log, { maxBytes: 1 });
    expect(first.floor).toBeLessThan(first.messages[0]?.seq ?? 0);
    await first.ack();
    const second = await drainOf(log, { maxBytes: 1 });
    expect(second.floor).toBeLessThan(second.messages[0]?.seq ?? 0);
    await second.release();
    await drainAll(log, 2);
    await waitUntil(
      async () => {
        await log.append('d');
        const drain = await drainOf(log);
        await drain.ack();
        return drain.floor >= (second.messages[0]?.seq ?? Infinity);
      },
      { what: 'the floor is above the acknowledged messages' },
    );
  });

  test('names the log that a drain is of', async () => {
    await log.append('a');
    expect((await drainOf(log)).logId).toBe(log.id);
    expect(log.id).not.toBe('');
  });

  test('counts its backlog', async () => {
    expect(await log.backlog()).toEqual({ messages: 0, bytes: 0 });
    await appendAll(log, ['12345', '1234567890']);
    const { messages, bytes } = await log.backlog();
    expect(messages).toBe(2);
    expect(bytes).toBeGreaterThanOrEqual(15);
    await drainAll(log, 2);
    await waitUntil(async () => (await log.backlog()).messages === 0, { what: 'the backlog is empty' });
  });

  test('lists what is pending in order: waiting, handed out and released', async () => {
    expect(await listOf(log.pending())).toEqual([]);
    await appendAll(log, numbered(1_200));
    const acknowledged = await drainOf(log, { maxBytes: 100 });
    const held = await drainOf(log, { maxBytes: 100 });
    await acknowledged.ack();
    const expected = numbered(1_200).slice(acknowledged.messages.length);
    await waitUntil(async () => (await listOf(log.pending())).length === expected.length, { what: 'it is forgotten' });
    expect(bodies(await listOf(log.pending()))).toEqual(expected);
    await held.release();
    expect(bodies(await listOf(log.pending()))).toEqual(expected);
  });

  test('lists what is pending while a writer acknowledges it', async () => {
    for (let round = 0; round < 20; round += 1) {
      await log.append('here and gone');
      const drain = await drainOf(log);
      const lists = Array.from({ length: 10 }, () => listOf(log.pending()));
      await drain.ack();
      for (const list of await Promise.all(lists)) expect(list.length).toBeLessThanOrEqual(1);
    }
  });

  test('is settled once everything appended before is acknowledged', async () => {
    expect(await log.settled(1_000)).toBe(true);
    await log.append('a');
    expect(await log.settled(20)).toBe(false);
    const drain = await drainOf(log);
    expect(await log.settled(20)).toBe(false);
    const settled = log.settled(10_000);
    await drain.ack();
    expect(await settled).toBe(true);
  });

  test('keeps buried messages with the reason, and nothing of them in the log', async () => {
    expect(await log.deadLetters(0, 10)).toEqual([]);
    await appendAll(log, ['good', 'bad one', 'bad two']);
    const drain = await drainOf(log);
    for (const message of drain.messages.slice(1)) await log.bury(message, `no reading: ${message.body} ü\n`);
    await drain.ack();
    await reopen();
    const letters = await log.deadLetters(0, 10);
    expect(letters.map(({ body, reason }) => [body, reason])).toEqual([
      ['bad one', 'no reading: bad one ü\n'],
      ['bad two', 'no reading: bad two ü\n'],
    ]);
    expect(letters[0]?.at).toBeGreaterThan(Date.now() - 600_000);
    expect(await log.deadLetters(0, 1)).toEqual(letters.slice(0, 1));
    expect(await log.deadLetters(letters[0]?.id ?? 0, 10)).toEqual(letters.slice(1));
    expect((await log.backlog()).messages).toBe(0);
  });

  test('replays a dead letter once', async () => {
    await log.append('bad');
    const drain = await drainOf(log);
    for (const message of drain.messages) await log.bury(message, 'unreadable');
    await drain.ack();
    const id = (await log.deadLetters(0, 1))[0]?.id ?? 0;
    expect(await log.replay(id)).toBe(true);
    expect(await log.deadLetters(0, 10)).toEqual([]);
    expect(await log.replay(id)).toBe(false);
    const again = await drainAll(log, 1);
    expect(bodies(again)).toEqual(['bad']);
    expect(again[0]?.seq).toBeGreaterThan(drain.messages[0]?.seq ?? Infinity);
  });

  test('refuses with BUSY when it is full, loses nothing, and takes more once there is room', async () => {
    await log.stop();
    log = place.open(64 * KIB);
    await log.start();
    const body = 'x'.repeat(4 * KIB);
    const taken = await fill(log, body, 20);
    expect(taken).toBeGreaterThan(8);
    expect(await drainAll(log, taken)).toHaveLength(taken);
    await waitUntil(() => log.append(body).then(() => true), { what: 'there is room again' });
  });

  test('refuses appends at once when it is stopped, and ends its drains', async () => {
    const drain = log.drain(drainOptions);
    await log.stop();
    await expect(drain).resolves.toBeUndefined();
    await expect(log.append('late')).rejects.toMatchObject({ code: 'BUSY' });
    await log.stop();
  });
}

describe('the reading log on SQLite', () => {
  readingLogContract(async () => {
    const folder = await tempDir();
    return {
      open: (maxBytes = 64 * KIB * KIB) =>
        new SqliteReadingLog({ file: join(folder.path, 'log.db'), maxBytes, logger }),
      remove: folder.remove,
    };
  });
});

describeWith(['own-nats'], 'the reading log on JetStream', () => {
  let nats: OwnServer;

  beforeAll(async () => {
    nats = await startNats();
  });

  afterAll(async () => {
    await nats.stop();
  });

  readingLogContract(() =>
    Promise.resolve({
      open: (maxBytes = 64 * KIB * KIB) =>
        new JetStreamReadingLog({ servers: nats.url, maxBytes, replicas: 1, logger }),
      remove: async () => {
        await nats.kill();
        await emptyFolder(nats.dataDir);
        await nats.restart();
      },
    }),
  );
});

async function emptyFolder(path: string): Promise<void> {
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
}
