import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose, { type Connection } from 'mongoose';
import { pino } from 'pino';
import { describeWith, freePort, freshMongoDatabase, startMongo, waitUntil, type FreshDatabase } from '#testing';
import { bodyOf, entryText, type LogReading } from '../reading-log/log-body.ts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import { storeModels, type StoreModels } from './mongo-schema.ts';
import { MongoReadingStore } from './mongo.adapter.ts';

const logger = pino({ enabled: false });
const LOG = 'log';
const T = 1_760_000_000_000;

let lastSeq = 0;
const message = (deviceId: string, readings: LogReading[], receivedAt = T): LogMessage => ({
  seq: ++lastSeq,
  body: bodyOf([entryText([deviceId, receivedAt, 1, readings])]),
});
const ascending = (count: number): LogReading[] =>
  Array.from({ length: count }, (_, index) => ['sensor', T + index, index]);
const written = (stored: number, duplicate = 0, conflict = 0) => ({ stored, duplicate, conflict, unreadable: [] });

describeWith(['mongodb'], 'the reading store on MongoDB after a write that was cut short', () => {
  let database: FreshDatabase;
  let store: MongoReadingStore;
  let connection: Connection;
  let models: StoreModels;

  beforeAll(async () => {
    database = await freshMongoDatabase();
    store = new MongoReadingStore({ url: database.url, logger });
    await store.start();
    connection = await mongoose.createConnection(database.url).asPromise();
    models = storeModels(connection);
  });

  afterAll(async () => {
    await connection.close();
    await store.stop();
    await database.stop();
  });

  const keysOf = async (deviceId: string) => {
    const series = await models.series.find({ d: deviceId }).lean();
    return (await models.readings.find({ '_id.s': { $in: series.map(({ _id }) => _id) } }).lean()).map(
      ({ _id }) => _id,
    );
  };

  test('counts rows that were stored and not counted as stored, once', async () => {
    const one = message('uncounted', ascending(10));
    await store.write(LOG, [one], 0);
    await models.devices.deleteOne({ _id: 'uncounted' });
    expect(await store.write(LOG, [one], 0)).toEqual(written(10));
    expect(await store.write(LOG, [one], 0)).toEqual(written(0));
    expect((await store.ledger('uncounted')).counts).toMatchObject({ stored: 10, duplicate: 0, rejected: 1 });
  });

  test('completes a message of which some rows were stored', async () => {
    const messages = [message('half', ascending(10)), message('half', ascending(20))];
    await store.write(LOG, messages, 0);
    await models.devices.deleteOne({ _id: 'half' });
    const half = (await keysOf('half')).filter(({ t }) => t % 2 === 0);
    await models.readings.deleteMany({ _id: { $in: half } });
    const again = new MongoReadingStore({ url: database.url, logger });
    await again.start();
    expect(await again.write(LOG, messages, 0)).toEqual(written(20, 10));
    expect((await again.ledger('half')).counts).toMatchObject({ received: 32, stored: 20, duplicate: 10, rejected: 2 });
    expect((await again.latest('half')).map(({ ts }) => ts)).toEqual([T + 19]);
    await again.stop();
  });

  test('tells rows of the message itself from equal ones of another message at the same position of another log', async () => {
    const one = message('anew', ascending(3));
    await store.write(LOG, [one], 0);
    const other = { seq: one.seq, body: message('anew', ascending(4), T + 1).body };
    expect(await store.write('another log', [other], 0)).toEqual(written(1, 3));
  });

  test('gives the row to the message that stored it when an earlier one of the same write repeats it', async () => {
    const [first, second] = [message('order', ascending(1)), message('order', ascending(1))];
    await store.write(LOG, [second], 0);
    await models.devices.deleteOne({ _id: 'order' });
    expect(await store.write(LOG, [first, second], 0)).toEqual(written(1, 1));
    expect((await store.ledger('order')).counts).toMatchObject({ stored: 1, duplicate: 1 });
  });

  test('keeps the list of counted messages short as the floor rises', async () => {
    const messages = Array.from({ length: 20 }, (_, index) => message('floor', [['sensor', T + index, 1]]));
    for (const one of messages) await store.write(LOG, [one], one.seq - 3);
    const device = await models.devices.findById('floor').lean();
    expect(device?.applied.length).toBeLessThanOrEqual(3);
    expect(await store.write(LOG, messages, 0)).toEqual(written(0));
    expect((await store.ledger('floor')).counts).toMatchObject({ stored: 20, duplicate: 0, rejected: 20 });
  });
});

describeWith(['own-mongodb'], 'the reading store on MongoDB when its server fails', () => {
  test('cannot be started without it', async () => {
    const url = `mongodb://127.0.0.1:${String(await freePort())}/none?serverSelectionTimeoutMS=200`;
    const store = new MongoReadingStore({ url, logger });
    await expect(store.start()).rejects.toThrow();
    await expect(store.write(LOG, [], 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await store.stop();
  });

  test('is unavailable while it is away, and counts exactly when messages come again after a crash', async () => {
    const server = await startMongo();
    const store = new MongoReadingStore({ url: `${server.url}/crash?serverSelectionTimeoutMS=500`, logger });
    await store.start();
    const messages = Array.from({ length: 30 }, (_, index) =>
      message(
        `device ${String(index % 7)}`,
        ascending(1_000).map(([, ts, value]): LogReading => [`s${String(index)}`, ts, value]),
      ),
    );
    await store.write(LOG, [message('warm', ascending(1))], 0);
    const cut = store.write(LOG, messages, 0).then(
      () => undefined,
      (error: unknown) => error,
    );
    await waitUntil(async () => (await store.range({ ...all, deviceId: 'device 0' })).length > 0, {
      what: 'some rows are stored',
      everyMs: 1,
    });
    await server.kill();
    expect([undefined, 'UNAVAILABLE']).toContain(codeOf(await cut));
    await expect(store.write(LOG, messages, 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await server.restart();
    await waitUntil(() => store.ping().then(() => true), { what: 'the store is back', timeoutMs: 60_000 });
    await store.write(LOG, messages, 0);
    await store.write(LOG, messages, 0);
    let stored = 0;
    for (let device = 0; device < 7; device += 1) {
      const { counts } = await store.ledger(`device ${String(device)}`);
      expect(counts).toMatchObject({ duplicate: 0, conflict: 0 });
      stored += counts.stored;
    }
    expect(stored).toBe(30_000);
    await store.stop();
    await server.stop();
  }, 120_000);
});

const all = { from: 0, to: T * 2, order: 'asc', limit: 1 } as const;

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : error;
}
