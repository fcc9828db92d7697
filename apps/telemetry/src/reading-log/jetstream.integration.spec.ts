import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { describeWith, freePort, startNats, waitUntil, type OwnServer } from '#testing';
import { JetStreamReadingLog, type JetStreamReadingLogOptions } from './jetstream.adapter.ts';
import { CONSUMER, STREAM } from './jetstream-streams.ts';
import type { Drain, ReadingLog } from './reading-log.ts';

const options = { maxBytes: 1_048_576, lingerMs: 20 };

describeWith(['own-nats'], 'the reading log when its NATS server fails', () => {
  let nats: OwnServer;
  let log: ReadingLog;
  let opened: ReadingLog[];

  const open = async (more: Partial<JetStreamReadingLogOptions> = {}): Promise<ReadingLog> => {
    const logger = pino({ enabled: false });
    const next = new JetStreamReadingLog({ servers: nats.url, maxBytes: 16_777_216, replicas: 1, logger, ...more });
    opened.push(next);
    await next.start();
    return next;
  };

  const drainOf = async (from: ReadingLog = log, timeoutMs = 15_000): Promise<Drain> => {
    const drain = await from.drain({ ...options, signal: AbortSignal.timeout(timeoutMs) });
    if (!drain) throw new Error('no message came');
    return drain;
  };

  /** Drains and acknowledges until all of `expected` was seen; gives every body as often as it came. */
  const drainUntil = async (expected: readonly string[]): Promise<string[]> => {
    const seen: string[] = [];
    while (!expected.every((body) => seen.includes(body))) {
      const drain = await drainOf();
      seen.push(...drain.messages.map(({ body }) => body));
      await drain.ack();
    }
    return seen;
  };

  const appendUntilTaken = (body: string) =>
    waitUntil(() => log.append(body).then(() => true), { what: `the log takes ${body}` });

  const manage = async (change: (jsm: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<unknown>) => {
    const connection = await connect({ servers: nats.url });
    await change(await jetstreamManager(connection));
    await connection.close();
  };

  beforeEach(async () => {
    nats = await startNats();
    opened = [];
    log = await open();
  });

  afterEach(async () => {
    for (const one of opened) await one.stop();
    await nats.stop();
  });

  test('cannot be started without it, and can be later', async () => {
    const port = await freePort();
    await expect(open({ servers: `nats://127.0.0.1:${String(port)}`, appendTimeoutMs: 500 })).rejects.toThrow();
    const late = opened.at(-1);
    const second = await startNats({ port });
    await late?.start();
    await late?.append('a');
    await late?.stop();
    await second.stop();
  });

  test('refuses appends at once while it is away, keeps what it took, and goes on when it is back', async () => {
    await log.append('before');
    const { id } = log;
    await nats.kill();
    await waitUntil(
      () =>
        log.append('meanwhile').then(
          () => false,
          () => true,
        ),
      { what: 'the log refuses' },
    );
    await expect(log.append('meanwhile')).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
    await expect(log.backlog()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await nats.restart();
    await appendUntilTaken('after');
    expect(log.id).toBe(id);
    expect(await drainUntil(['before', 'after'])).not.toContain('meanwhile');
  });

  test('settles every append that was in flight when it died, and keeps all that it acknowledged', async () => {
    const taken: string[] = [];
    const appends = Array.from({ length: 400 }, (_, index) => {
      const body = `body ${String(index)}`;
      return log.append(body).then(
        () => taken.push(body),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'BUSY' });
        },
      );
    });
    await waitUntil(() => taken.length > 20, { what: 'some are taken', everyMs: 1 });
    await nats.kill();
    await Promise.all(appends);
    await nats.restart();
    await appendUntilTaken('last');
    await drainUntil([...taken, 'last']);
  });

  test('hands out what comes after a crash to a writer that waited through it', async () => {
    const drain = drainOf();
    await nats.kill();
    await nats.restart();
    await appendUntilTaken('after');
    expect((await drain).messages.map(({ body }) => body)).toContain('after');
  });

  test('delivers again what was not acknowledged when it died, with the same position', async () => {
    await log.append('a');
    const before = await drainOf();
    await nats.kill();
    await nats.restart();
    await waitUntil(() => log.backlog(), { what: 'the log is back' });
    await before.release();
    const after = await drainOf();
    expect(after.messages).toEqual(before.messages);
    expect(after.logId).toBe(before.logId);
  });

  test('makes everything anew, under another id, when its storage was lost', async () => {
    await log.append('lost');
    const { id } = log;
    await nats.kill();
    for (const name of await readdir(nats.dataDir))
      await rm(join(nats.dataDir, name), { recursive: true, force: true });
    await nats.restart();
    await appendUntilTaken('new');
    expect(log.id).not.toBe(id);
    const drain = await drainOf();
    expect(drain.logId).toBe(log.id);
    expect(drain.messages.map(({ body }) => body)).toEqual(['new']);
    expect(drain.floor).toBe(0);
  });

  test('makes everything anew when somebody deleted the stream', async () => {
    await log.append('lost');
    await manage((jsm) => jsm.streams.delete(STREAM));
    await expect(log.append('refused')).rejects.toMatchObject({ code: 'BUSY' });
    await appendUntilTaken('new');
    expect(await drainUntil(['new'])).not.toContain('lost');
  });

  test('makes the consumer anew when somebody deleted it under a waiting writer', async () => {
    const drain = drainOf();
    await manage((jsm) => jsm.consumers.delete(STREAM, CONSUMER));
    await waitUntil(
      async () => {
        let found = false;
        await manage(async (jsm) => {
          await jsm.consumers.info(STREAM, CONSUMER);
          found = true;
        });
        return found;
      },
      { what: 'the consumer is there again' },
    );
    await appendUntilTaken('a');
    expect((await drain).messages.map(({ body }) => body)).toEqual(['a']);
  });

  test('gives each message to one of two writers', async () => {
    const second = await open();
    const bodies = Array.from({ length: 200 }, (_, index) => String(index));
    const seen: string[] = [];
    const stopping = new AbortController();
    const work = async (from: ReadingLog) => {
      for (;;) {
        const drain = await from.drain({ maxBytes: 200, lingerMs: 5, signal: stopping.signal });
        if (!drain) return;
        seen.push(...drain.messages.map(({ body }) => body));
        await drain.ack();
      }
    };
    const workers = [work(log), work(second)];
    for (const body of bodies) await log.append(body);
    await waitUntil(() => seen.length >= bodies.length, { what: 'everything was handed out' });
    stopping.abort();
    await Promise.all(workers);
    expect([...seen].sort()).toEqual([...bodies].sort());
  });

  test('gives what a dead writer held to another one, and leaves what a slow one still writes', async () => {
    await log.stop();
    const [dying, slow] = [await open({ ackWaitMs: 1_000 }), await open({ ackWaitMs: 1_000 })];
    await dying.append('held by the dead');
    await drainOf(dying);
    await dying.append('held by the slow');
    const held = await drainOf(slow);
    await dying.stop();
    const next = await drainOf(slow);
    expect(next.messages.map(({ body }) => body)).toEqual(['held by the dead']);
    await next.ack();
    expect(await slow.drain({ ...options, signal: AbortSignal.timeout(1_500) })).toBeUndefined();
    await held.ack();
    expect(await slow.settled(5_000)).toBe(true);
  });

  test('stops while it is away', async () => {
    const drain = log.drain({ ...options, signal: AbortSignal.timeout(60_000) });
    await nats.kill();
    await log.stop();
    await expect(drain).resolves.toBeUndefined();
    await expect(log.append('a')).rejects.toMatchObject({ code: 'BUSY' });
  });

  test('says that a body is larger than any message may be', async () => {
    await expect(log.append('x'.repeat(1_100_000))).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    await log.append('x'.repeat(1_000_000));
  });

  test('takes over a new limit of bytes', async () => {
    await log.stop();
    log = await open({ maxBytes: 2_097_152 });
    await manage(async (jsm) => {
      const { config } = await jsm.streams.info(STREAM);
      expect(config).toMatchObject({ max_bytes: 2_097_152, retention: 'interest', discard: 'new', storage: 'file' });
    });
  });
});
