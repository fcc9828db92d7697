import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pino } from 'pino';
import type { Reading, ReadingValue } from '#contracts';
import { describeWith, freshMongoDatabase, tempDir } from '#testing';
import { bodyOf, entryText, type LogEntry, type LogReading } from '../reading-log/log-body.ts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import { MongoReadingStore } from './mongo.adapter.ts';
import type { ReadingStore, WriteResult } from './reading-store.ts';
import { SqliteReadingStore } from './sqlite.adapter.ts';

const logger = pino({ enabled: false });
const LOG = 'log-1';
const T = 1_760_000_000_000;

/** A place where stores can be opened, several at once. */
interface Place {
  open(): ReadingStore;
  remove(): Promise<void>;
}

/** A new device for each test, so that tests share a database. */
let lastDevice = 0;
const newDevice = () => `device-${String(++lastDevice).padStart(6, '0')}`;
let lastSeq = 0;

function message(...entries: LogEntry[]): LogMessage {
  return { seq: ++lastSeq, body: bodyOf(entries.map(entryText)) };
}

const entry = (deviceId: string, readings: LogReading[], rejected = 0): LogEntry => [
  deviceId,
  T + 9,
  rejected,
  readings,
];
const result = (stored: number, duplicate = 0, conflict = 0): WriteResult => ({
  stored,
  duplicate,
  conflict,
  unreadable: [],
});
const counts = (stored: number, duplicate = 0, conflict = 0, rejected = 0) => ({
  received: stored + duplicate + conflict + rejected,
  stored,
  duplicate,
  conflict,
  rejected,
});

const allOf = (store: ReadingStore, deviceId: string, sensor?: string) =>
  store.range({ deviceId, ...(sensor ? { sensor } : {}), from: 0, to: T * 2, order: 'asc', limit: 10_000 });

const values = (readings: readonly Reading[]) => readings.map(({ value }) => value);
/** What of an object survives JSON: -0 is 0, and there are no prototypes. */
function jsonOf(object: ReadingValue): ReadingValue {
  const parsed: ReadingValue = JSON.parse(JSON.stringify(object));
  return parsed;
}

const places = (readings: readonly Reading[]) => readings.map(({ sensor, ts }) => `${sensor}@${String(ts - T)}`);

function readingStoreContract(makePlace: () => Promise<Place>): void {
  let place: Place;
  let store: ReadingStore;
  let other: ReadingStore;
  let device: string;

  beforeAll(async () => {
    place = await makePlace();
    store = place.open();
    other = place.open();
    await store.start();
    await other.start();
  });

  afterAll(async () => {
    await other.stop();
    await store.stop();
    await place.remove();
  });

  beforeEach(() => {
    device = newDevice();
  });

  const write = (...messages: LogMessage[]) => store.write(LOG, messages, 0);
  const ledger = async (deviceId = device) => (await store.ledger(deviceId)).counts;

  test('stores what a message holds, with both times, unit and location', async () => {
    const readings: LogReading[] = [
      ['temperature', T, 21.5, '°C', 'cellar'],
      ['humidity', T + 1, 40, '%', { lat: 47.1, lon: -8.25, alt: 400 }],
      ['door', T + 2, true],
    ];
    expect(await write(message(entry(device, readings, 2)))).toEqual(result(3));
    expect(await allOf(store, device)).toEqual([
      { sensor: 'temperature', ts: T, value: 21.5, unit: '°C', location: 'cellar', receivedAt: T + 9 },
      {
        sensor: 'humidity',
        ts: T + 1,
        value: 40,
        unit: '%',
        location: { lat: 47.1, lon: -8.25, alt: 400 },
        receivedAt: T + 9,
      },
      { sensor: 'door', ts: T + 2, value: true, receivedAt: T + 9 },
    ]);
    expect(await ledger()).toEqual(counts(3, 0, 0, 2));
  });

  test('knows nothing of a device that never sent', async () => {
    expect(await ledger()).toEqual(counts(0));
    expect(await allOf(store, device)).toEqual([]);
    expect(await store.latest(device)).toEqual([]);
    expect((await store.ledger(device)).includes(LOG, lastSeq + 1)).toBe(false);
  });

  test('writes nothing for no messages', async () => {
    expect(await write()).toEqual(result(0));
  });

  test('counts a batch of which everything was refused', async () => {
    expect(await write(message(entry(device, [], 7)))).toEqual(result(0));
    expect(await ledger()).toEqual(counts(0, 0, 0, 7));
  });

  test.each<[string, ReadingValue]>([
    ['a sum that is not round', 0.1 + 0.2],
    ['a very large number', 1e308],
    ['the smallest number', 5e-324],
    ['an integer above 2^53', 2 ** 53 + 2],
    ['an integer above 2^63', 2 ** 64],
    ['a negative number', -273.15],
    ['a number that SQLite rounds when it reads text', 266.75014107234267],
    ['false', false],
    ['an empty string', ''],
    ['a string that looks like a number', '1e5'],
    ['a string that looks like JSON', '{"a":1}'],
    ['a string that looks like null', 'null'],
    ['a string that looks like a field of a document', '$value'],
    ['an emoji', '👩🏽‍🔬'],
    ['a string with NUL', 'a\0b'],
    ['half a surrogate pair', 'x\ud83dy'],
    ['an empty object', {}],
    ['an object with keys like operators', { $set: { 'a.b': 1 }, _id: 'x', j: 'text', '': null }],
    ['a nested object', { a: [1, { b: [null, true, 'ü'] }] }],
    ['an object that looks like a stored one', { j: '1' }],
  ])('keeps %s exactly', async (_, value) => {
    await write(message(entry(device, [['sensor', T, value]])));
    expect(values(await allOf(store, device))).toEqual([value]);
    expect(values(await store.latest(device))).toEqual([value]);
    expect(await write(message(entry(device, [['sensor', T, value]])))).toEqual(result(0, 1));
  });

  test('keeps any value exactly', async () => {
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
      fc.integer(),
      fc.boolean(),
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.dictionary(fc.string(), fc.jsonValue()).map((object): ReadingValue => jsonOf(object)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 300 }), async (all) => {
        const deviceId = newDevice();
        await write(
          message(
            entry(
              deviceId,
              all.map((one, index): LogReading => ['any', T + index, one]),
            ),
          ),
        );
        expect(values(await allOf(store, deviceId))).toEqual(all);
      }),
      { numRuns: 15 },
    );
  });

  test('keeps locations exactly, labels that look like JSON too', async () => {
    const locations = ['{"lat":1,"lon":2}', 'j1', { lat: 0, lon: 0 }, { lat: -90, lon: 180, alt: -0.5 }];
    await write(
      message(
        entry(
          device,
          locations.map((location, index): LogReading => ['s', T + index, 1, null, location]),
        ),
      ),
    );
    expect((await allOf(store, device)).map(({ location }) => location)).toEqual(locations);
  });

  test('keeps the first of two values: an equal one is a duplicate, an unequal one a conflict', async () => {
    await write(message(entry(device, [['s', T, 1]])));
    expect(await write(message(entry(device, [['s', T, 1]])))).toEqual(result(0, 1));
    expect(
      await write(
        message(
          entry(device, [
            ['s', T, 2],
            ['s', T + 1, 3],
          ]),
        ),
      ),
    ).toEqual(result(1, 0, 1));
    expect(values(await allOf(store, device))).toEqual([1, 3]);
    expect(await ledger()).toEqual(counts(2, 1, 1));
  });

  test.each<[string, LogReading, LogReading]>([
    ['unit', ['s', T, 1, 'm'], ['s', T, 1, 'km']],
    ['location', ['s', T, 1, null, 'a'], ['s', T, 1, null, 'b']],
    ['kind of value', ['s', T, 1], ['s', T, '1']],
    ['kind of value, number and boolean', ['s', T, 1], ['s', T, true]],
  ])('tells readings apart by their %s', async (_, first, second) => {
    await write(message(entry(device, [first])));
    expect(await write(message(entry(device, [second])))).toEqual(result(0, 0, 1));
  });

  test('takes objects with the same members in another order as equal', async () => {
    await write(message(entry(device, [['s', T, { a: 1, b: { c: 2, d: -0 } }]])));
    expect(await write(message(entry(device, [['s', T, { b: { d: 0, c: 2 }, a: 1 }]])))).toEqual(result(0, 1));
  });

  test('finds duplicates and conflicts within one write, in and across messages', async () => {
    const first = message(
      entry(device, [
        ['s', T, 1],
        ['s', T, 1],
        ['s', T, 2],
      ]),
      entry(device, [['s', T, 1]]),
    );
    const second = message(
      entry(device, [
        ['s', T, 2],
        ['s', T - 1, 5],
      ]),
    );
    expect(await write(first, second)).toEqual(result(2, 2, 2));
    expect(values(await allOf(store, device))).toEqual([5, 1]);
    expect(await ledger()).toEqual(counts(2, 2, 2));
  });

  test('compares what repeats within one write with what is stored', async () => {
    await write(message(entry(device, [['s', T, 1]])));
    expect(
      await write(
        message(
          entry(device, [
            ['s', T, 2],
            ['s', T, 1],
            ['s', T, 2],
          ]),
        ),
      ),
    ).toEqual(result(0, 1, 2));
  });

  test('keeps devices and sensors apart whose names run into each other', async () => {
    const [a, b] = [newDevice(), newDevice()];
    await write(
      message(
        entry(a, [
          ['s:1', T, 1],
          ['s', T, 2],
        ]),
        entry(b, [['s:1', T, 3]]),
      ),
    );
    expect(values(await allOf(store, a, 's:1'))).toEqual([1]);
    expect(values(await allOf(store, b))).toEqual([3]);
  });

  test('counts a message once, however often it is written', async () => {
    const messages = [
      message(entry(device, [['s', T, 1]], 1)),
      message(
        entry(device, [
          ['s', T, 1],
          ['s', T + 1, 2],
        ]),
      ),
    ];
    expect(await write(...messages)).toEqual(result(2, 1));
    expect(await write(...messages)).toEqual(result(0));
    expect(await other.write(LOG, messages, 0)).toEqual(result(0));
    expect(await ledger()).toEqual(counts(2, 1, 0, 1));
    expect((await store.ledger(device)).includes(LOG, messages[1]?.seq ?? 0)).toBe(true);
    expect((await store.ledger(device)).includes('another log', messages[1]?.seq ?? 0)).toBe(false);
  });

  test('adds to what was written before only what is missing', async () => {
    const known = message(entry(device, [['s', T, 1]]));
    const fresh = message(
      entry(
        device,
        [
          ['s', T, 1],
          ['s', T + 1, 2],
        ],
        3,
      ),
    );
    await write(known);
    expect(await write(known, fresh)).toEqual(result(1, 1));
    expect(await ledger()).toEqual(counts(2, 1, 0, 3));
  });

  test('counts nothing that is not above the floor again', async () => {
    const late = message(entry(device, [['s', T, 1]]));
    await write(late);
    await store.write(LOG, [message(entry(device, [['s', T + 1, 2]]))], late.seq);
    await write(late);
    await store.write(LOG, [message(entry(device, [['s', T + 2, 3]]))], 0);
    await write(late);
    expect(await ledger()).toEqual(counts(3));
    expect((await store.ledger(device)).includes(LOG, late.seq)).toBe(true);
  });

  test('counts positions of a log made anew', async () => {
    const before = message(entry(device, [['s', T, 1]]));
    await write(before);
    const readings: LogReading[] = [
      ['s', T, 1],
      ['s', T + 5, 2],
    ];
    const anew = { seq: before.seq, body: bodyOf([entryText([device, T + 99, 0, readings])]) };
    expect(await store.write(`another log of ${device}`, [anew], 0)).toEqual(result(1, 1));
    expect(await ledger()).toEqual(counts(2, 1));
  });

  test('counts exactly when two writers write the same messages at once', async () => {
    const messages = Array.from({ length: 20 }, (_, index) =>
      message(
        entry(
          device,
          [
            ['s', T + index, index],
            ['s', T, 0],
            ['t', T + (index % 3), 1],
          ],
          1,
        ),
      ),
    );
    await Promise.all([...messages.map((one) => store.write(LOG, [one], 0)), other.write(LOG, messages, 0)]);
    expect(await ledger()).toEqual(counts(23, 37, 0, 20));
    expect(await allOf(store, device)).toHaveLength(23);
  });

  test('gives each sensor one series when two writers meet it at once', async () => {
    const sensors = Array.from({ length: 30 }, (_, index) => `sensor-${String(index)}`);
    const readings = (value: number) => sensors.map((sensor): LogReading => [sensor, T + value, value]);
    await Promise.all([
      store.write(LOG, [message(entry(device, readings(1)))], 0),
      other.write(LOG, [message(entry(device, readings(2)))], 0),
    ]);
    expect(await ledger()).toEqual(counts(60));
    for (const sensor of sensors) expect(values(await allOf(store, device, sensor))).toEqual([1, 2]);
  });

  test('leaves out a message that it cannot read, names it, and stores the rest', async () => {
    const bad = ['', 'no json', '{"v":1}', '{"v":99,"e":[]}', '{"v":1,"e":[["device"]]}', 'null'].map((body) => ({
      seq: ++lastSeq,
      body,
    }));
    const good = message(entry(device, [['s', T, 1]]));
    const written = await write(...bad.slice(0, 3), good, ...bad.slice(3));
    expect(written).toMatchObject({ stored: 1, duplicate: 0, conflict: 0 });
    expect(written.unreadable.map(({ message: { seq } }) => seq)).toEqual(bad.map(({ seq }) => seq));
    for (const { reason } of written.unreadable) expect(reason).not.toBe('');
    const again = await write(...bad, good);
    expect(again).toMatchObject({ stored: 0, duplicate: 0 });
    expect(again.unreadable).toHaveLength(bad.length);
  });

  test('gives the newest reading of each sensor, whatever came last', async () => {
    await write(
      message(
        entry(device, [
          ['a', T + 5, 5],
          ['a', T + 1, 1],
          ['b', T, 'x', 'u', 'here'],
        ]),
      ),
    );
    await other.write(LOG, [message(entry(device, [['a', T + 7, 7]]))], 0);
    await write(
      message(
        entry(device, [
          ['a', T + 6, 6],
          ['a', T + 7, 0],
        ]),
      ),
    );
    expect(await store.latest(device)).toEqual([
      { sensor: 'a', ts: T + 7, value: 7, receivedAt: T + 9 },
      { sensor: 'b', ts: T, value: 'x', unit: 'u', location: 'here', receivedAt: T + 9 },
    ]);
    expect(places(await store.latest(device, ['b', 'nothing']))).toEqual(['b@0']);
    expect(await store.latest(device, [])).toEqual([]);
  });

  describe('a range', () => {
    const page = (query: Partial<Parameters<ReadingStore['range']>[0]> = {}) =>
      store.range({ deviceId: device, from: T, to: T + 100, order: 'asc', limit: 100, ...query });

    beforeEach(async () => {
      const readings = ['b', 'a', 'c'].flatMap((sensor) =>
        [3, 1, 2].map((offset): LogReading => [sensor, T + offset, offset]),
      );
      await write(message(entry(device, readings)));
    });

    test('is in order of time, then of sensor, forward and back', async () => {
      const forward = ['a@1', 'b@1', 'c@1', 'a@2', 'b@2', 'c@2', 'a@3', 'b@3', 'c@3'];
      expect(places(await page())).toEqual(forward);
      expect(places(await page({ order: 'desc' }))).toEqual([...forward].reverse());
    });

    test('includes its beginning and not its end', async () => {
      expect(places(await page({ from: T + 1, to: T + 3, sensor: 'a' }))).toEqual(['a@1', 'a@2']);
      expect(await page({ from: T + 3, to: T + 3 })).toEqual([]);
      expect(await page({ from: T + 3, to: T })).toEqual([]);
      expect(await page({ sensor: 'nothing' })).toEqual([]);
    });

    test.each(['asc', 'desc'] as const)('is the same in pages of any size, %s', async (order) => {
      const whole = places(await page({ order }));
      for (const limit of [1, 2, 4, 5]) {
        const seen: string[] = [];
        for (let after: { ts: number; sensor: string } | undefined; ;) {
          const part = await page({ order, limit, ...(after ? { after } : {}) });
          seen.push(...places(part));
          after = part.at(-1);
          if (part.length < limit) break;
        }
        expect(seen).toEqual(whole);
      }
    });

    test('goes on behind a reading of one sensor', async () => {
      expect(places(await page({ sensor: 'a', after: { ts: T + 1, sensor: 'a' } }))).toEqual(['a@2', 'a@3']);
      expect(places(await page({ sensor: 'a', order: 'desc', after: { ts: T + 2, sensor: 'a' } }))).toEqual(['a@1']);
    });
  });

  test('stores a large write of many devices, and all of it again as duplicates', async () => {
    const devices = Array.from({ length: 60 }, newDevice);
    const big = () =>
      devices.map((deviceId) =>
        message(
          entry(
            deviceId,
            Array.from({ length: 200 }, (_, index): LogReading => ['s', T + index, index]),
          ),
        ),
      );
    expect(await write(...big())).toEqual(result(12_000));
    expect(await write(...big())).toEqual(result(0, 12_000));
    expect(await ledger(devices[59])).toEqual(counts(200, 200));
  });

  test('keeps everything when it is closed and opened', async () => {
    const again = place.open();
    await again.start();
    const one = message(entry(device, [['s', T, 1]]));
    await again.write(LOG, [one], 0);
    await again.stop();
    await expect(again.write(LOG, [one], 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(again.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const reopened = place.open();
    await reopened.start();
    await reopened.ping();
    expect(await reopened.write(LOG, [one], 0)).toEqual(result(0));
    expect(values(await reopened.latest(device))).toEqual([1]);
    expect(values(await allOf(reopened, device))).toEqual([1]);
    await reopened.stop();
  });
}

describe('the reading store on SQLite', () => {
  readingStoreContract(async () => {
    const folder = await tempDir();
    return {
      open: () => new SqliteReadingStore({ file: join(folder.path, 'readings.db'), logger }),
      remove: folder.remove,
    };
  });
});

describeWith(['mongodb'], 'the reading store on MongoDB', () => {
  readingStoreContract(async () => {
    const database = await freshMongoDatabase();
    return { open: () => new MongoReadingStore({ url: database.url, logger }), remove: database.stop };
  });
});
