import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'socket.io-client';
import type { House } from '../house.ts';
import { newDevice, newUser, type Device, type Person } from '../people.ts';
import { Receipt, settledLedger, storedReadings } from '../readings.ts';
import { ask, connect, disconnectAll, nextEvent } from '../sockets.ts';
import { Visitor } from '../visitor.ts';

const DAY_MS = 86_400_000;
const INJECTED = "'; DROP TABLE readings; --";

/** A reading that cannot be kept, and the code that says why. */
type Bad = [what: string, code: string, reading: unknown];

/** Every way in which a reading can be wrong. */
function badReadings(): Bad[] {
  const good = { sensor: 's', value: 1 };
  const valueOfDepth = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
  return [
    ['null', 'NOT_AN_OBJECT', null],
    ['a number', 'NOT_AN_OBJECT', 7],
    ['a text', 'NOT_AN_OBJECT', 'sensor=s&value=1'],
    ['an array', 'NOT_AN_OBJECT', [good]],
    ['an unknown field', 'UNKNOWN_FIELD', { ...good, colour: 'red' }],
    ['an operator as a field', 'UNKNOWN_FIELD', { ...good, $where: 'sleep(1000)' }],
    ['a polluted prototype', 'UNKNOWN_FIELD', JSON.parse('{"sensor":"s","value":1,"__proto__":{"admin":true}}')],
    ['a constructor', 'UNKNOWN_FIELD', { ...good, constructor: { prototype: { admin: true } } }],
    ['no sensor', 'BAD_SENSOR', { value: 1 }],
    ['an empty sensor', 'BAD_SENSOR', { ...good, sensor: '' }],
    ['a sensor of 65 characters', 'BAD_SENSOR', { ...good, sensor: 's'.repeat(65) }],
    ['a sensor that is a number', 'BAD_SENSOR', { ...good, sensor: 5 }],
    ['a sensor with SQL', 'BAD_SENSOR', { ...good, sensor: INJECTED }],
    ['a sensor that is an operator', 'BAD_SENSOR', { ...good, sensor: { $ne: null } }],
    ['a sensor that begins with $', 'BAD_SENSOR', { ...good, sensor: '$where' }],
    ['two names of one sensor', 'BAD_SENSOR', { ...good, sensorType: 'other' }],
    ['no value', 'BAD_VALUE', { sensor: 's' }],
    ['a value that is null', 'BAD_VALUE', { ...good, value: null }],
    ['a value that is an array', 'BAD_VALUE', { ...good, value: [1, 2] }],
    ['a value of 4,097 bytes', 'BAD_VALUE', { ...good, value: 'x'.repeat(4_097) }],
    ['a value of more than 8 KiB of JSON', 'BAD_VALUE', { ...good, value: { text: 'x'.repeat(8_192) } }],
    ['a value that is nested too deep', 'BAD_VALUE', { ...good, value: valueOfDepth(2_000) }],
    ['half a character', 'BAD_VALUE', { ...good, value: '\ud83d' }],
    ['U+0000', 'BAD_VALUE', { ...good, value: 'a\0b' }],
    ['half a character inside', 'BAD_VALUE', { ...good, value: { text: '\ud83d' } }],
    ['a unit of 33 characters', 'BAD_UNIT', { ...good, unit: 'u'.repeat(33) }],
    ['a unit that is a number', 'BAD_UNIT', { ...good, unit: 1 }],
    ['a location of 129 characters', 'BAD_LOCATION', { ...good, location: 'l'.repeat(129) }],
    ['a location off the earth', 'BAD_LOCATION', { ...good, location: { lat: 91, lon: 0 } }],
    ['half a location', 'BAD_LOCATION', { ...good, location: { lat: 1 } }],
    ['a location with an operator', 'BAD_LOCATION', { ...good, location: { lat: 1, lon: 2, $gt: 0 } }],
    ['a time that is no time', 'BAD_TIMESTAMP', { ...good, ts: 'yesterday' }],
    ['a time that never was', 'BAD_TIMESTAMP', { ...good, ts: '2025-02-30T00:00:00Z' }],
    ['a time without an offset', 'BAD_TIMESTAMP', { ...good, ts: '2025-02-03T00:00:00' }],
    ['half a millisecond', 'BAD_TIMESTAMP', { ...good, ts: 1.5 }],
    ['a negative time', 'BAD_TIMESTAMP', { ...good, ts: -1 }],
    ['a time beyond the end of time', 'BAD_TIMESTAMP', { ...good, ts: 1e300 }],
    ['a time that is an operator', 'BAD_TIMESTAMP', { ...good, ts: { $gt: 0 } }],
    ['the day after tomorrow', 'TIMESTAMP_IN_FUTURE', { ...good, ts: Date.now() + 2 * DAY_MS }],
    ['an ancient time', 'TIMESTAMP_TOO_OLD', { ...good, ts: 1 }],
    ['seconds in place of milliseconds', 'TIMESTAMP_TOO_OLD', { ...good, ts: Math.floor(Date.now() / 1_000) }],
    ['a device that is not there', 'DEVICE_NOT_ALLOWED', { ...good, device: randomUUID() }],
    ['a device with SQL', 'DEVICE_NOT_ALLOWED', { ...good, device: "' OR '1'='1" }],
    ['a device that is an operator', 'DEVICE_NOT_ALLOWED', { ...good, device: { $ne: null } }],
    ['a device that is empty', 'DEVICE_NOT_ALLOWED', { ...good, device: '' }],
  ];
}

/** Bad readings, batches and events at both doors. */
export function badReadingsAreRefused(house: () => House): void {
  describe('bad readings', () => {
    let person: Person;
    let device: Device;
    let sender: Visitor;
    let socket: Socket;

    beforeAll(async () => {
      person = await newUser(house());
      device = await newDevice(person.visitor);
      sender = new Visitor(house(), device.token);
      socket = await connect(house(), '/telemetry', device.token);
    });
    afterAll(disconnectAll);

    const doors = {
      HTTP: async (payload: unknown) => (await sender.post('/telemetry', payload)).body,
      'socket.io': (payload: unknown) => ask(socket, 'readings', payload),
    };

    for (const [door, send] of Object.entries(doors)) {
      test(`of a batch over ${door} are named by index and code, and the good ones beside them are kept`, async () => {
        const sensor = `good-${door}`;
        const bad = badReadings();
        const ts = Date.now() - 60_000;
        const batch = bad.flatMap(([, , reading], index) => [{ sensor, ts: ts + index, value: index }, reading]);
        const receipt = Receipt.parse(await send(batch));
        const codes = new Map(receipt.rejected.map(({ index, code }) => [index, code]));
        expect(bad.map(([what], index) => [what, codes.get(2 * index + 1)])).toEqual(
          bad.map(([what, code]) => [what, code]),
        );
        expect(receipt).toMatchObject({ ok: true, accepted: bad.length });
        expect(receipt.rejected).toHaveLength(bad.length);
        for (const { message } of receipt.rejected) expect(message.length).toBeGreaterThan(10);
        await settledLedger(person.visitor, device.id);
        const kept = await storedReadings(person.visitor, device.id, `sensor=${sensor}&limit=1000`);
        expect(kept.map(({ value }) => value)).toEqual(bad.map((_, index) => index));
      });

      test(`over ${door} one by one are receipts that accept nothing`, async () => {
        for (const [, code, reading] of badReadings()) {
          if (Array.isArray(reading)) continue;
          expect(await send(reading)).toMatchObject({ ok: true, accepted: 0, rejected: [{ index: 0, code }] });
        }
      });
    }

    test('add up in the ledger', async () => {
      const ledger = await settledLedger(person.visitor, device.id);
      const { received, stored, duplicate, conflict, rejected } = ledger;
      expect(received).toBe(stored + duplicate + conflict + rejected);
      expect(rejected).toBeGreaterThanOrEqual(4 * badReadings().length - 2);
    });

    test('the largest that is allowed is accepted', async () => {
      const now = Date.now();
      const largest = [
        { sensor: 'a.b_c-d:e/f'.padEnd(64, '0'), value: 'x'.repeat(4_096), unit: 'u'.repeat(32), ts: now },
        { sensor: 's', value: { text: 'x'.repeat(8_192 - '{"text":""}'.length) }, location: 'l'.repeat(128), ts: now },
        { sensor: 's', value: 1, ts: now + DAY_MS - 60_000 },
        { sensor: 's', sensorType: 's', value: 1, timestamp: now, device: null, unit: null, location: null, ts: null },
      ];
      expect(await doors['socket.io'](largest.slice(0, 3))).toMatchObject({ accepted: 3, rejected: [] });
      expect(await doors.HTTP(largest[3])).toMatchObject({ accepted: 1, rejected: [] });
      const thousand = Array.from({ length: 1_000 }, (_, index) => ({ sensor: 'many', value: index, ts: now - index }));
      expect(await doors['socket.io'](thousand)).toMatchObject({ accepted: 1_000, rejected: [] });
    });

    test('batches that are empty, too large or badly named are refused as a whole', async () => {
      const tooMany = Array.from({ length: 1_001 }, () => ({ sensor: 's', value: 1 }));
      expect(await ask(socket, 'readings', tooMany)).toMatchObject({ ok: false, code: 'BATCH_TOO_LARGE' });
      expect(await ask(socket, 'readings', [])).toMatchObject({ ok: false, code: 'BATCH_EMPTY' });
      expect(await ask(socket, 'readings')).toMatchObject({ ok: false, code: 'BATCH_EMPTY' });
      expect(await sender.post('/telemetry', tooMany)).toMatchObject({ status: 413, code: 'BATCH_TOO_LARGE' });
      expect(await sender.post('/telemetry', [])).toMatchObject({ status: 422, code: 'BATCH_EMPTY' });
      expect(await sender.post('/telemetry')).toMatchObject({ status: 422, code: 'BATCH_EMPTY' });
      const reading = { sensor: 's', value: 1 };
      for (const batchId of [7, '', 'with space', 'x'.repeat(65), { $ne: 1 }, 'ü', ['a']]) {
        expect(await ask(socket, 'readings', reading, { batchId })).toMatchObject({ ok: false, code: 'BAD_BATCH_ID' });
      }
      const named = await sender.post('/telemetry', reading, { headers: { 'x-batch-id': 'x'.repeat(65) } });
      expect(named).toMatchObject({ status: 422, code: 'BAD_BATCH_ID' });
    });

    test('binary payloads are no readings', async () => {
      const binary = Buffer.from([1, 2, 3]);
      const refused = { ok: true, accepted: 0, rejected: [{ index: 0 }] };
      expect(await ask(socket, 'readings', binary)).toMatchObject(refused);
      expect(await ask(socket, 'readings', [binary])).toMatchObject(refused);
      expect(await ask(socket, 'readings', { sensor: 's', value: binary })).toMatchObject({
        ...refused,
        rejected: [{ index: 0, code: 'BAD_VALUE' }],
      });
      expect(await ask(socket, 'readings', { sensor: 's', value: { deep: [binary] } })).toMatchObject({ ok: true });
    });

    test('NaN and Infinity over a socket are no values', async () => {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        expect(await ask(socket, 'readings', { sensor: 's', value })).toMatchObject({
          ok: true,
          accepted: 0,
          rejected: [{ index: 0, code: 'BAD_VALUE' }],
        });
      }
    });

    test('an event without an acknowledgement is answered with the event "receipt"', async () => {
      const answer = nextEvent(socket, 'receipt');
      socket.emit('readings', { sensor: 's', value: 1 }, { batchId: 'no-ack' });
      expect(await answer).toMatchObject({ ok: true, batchId: 'no-ack', accepted: 1 });
      const refusal = nextEvent(socket, 'receipt');
      socket.emit('readings', []);
      expect(await refusal).toMatchObject({ ok: false, code: 'BATCH_EMPTY' });
    });

    test('events that nobody knows, or with anything in them, leave the connection as it is', async () => {
      for (const name of ['nonsense', '__proto__', 'constructor', 'disconnecting ', 'newListener ']) {
        socket.emit(name, { any: 'thing' });
      }
      for (const message of [undefined, null, 7, 'x', [], { token: { $ne: 1 } }, { token: 'x'.repeat(5_000) }]) {
        expect(await ask(socket, 'auth:refresh', message)).toMatchObject({ ok: false, code: expect.any(String) });
      }
      expect(await ask(socket, 'readings', { sensor: 's', value: 1 })).toMatchObject({ ok: true, accepted: 1 });
    });

    test('subscriptions with anything in them are refused with INVALID_INPUT', async () => {
      const viewer = await connect(house(), '/live', person.token);
      const { id } = device;
      const bad: unknown[] = [
        undefined,
        null,
        'all',
        [],
        {},
        { devices: [] },
        { devices: id },
        { devices: ["' OR 1=1 --"] },
        { devices: [{ $ne: null }] },
        { devices: Array.from({ length: 1_001 }, () => randomUUID()) },
        { devices: [id], since: 'yesterday' },
        { devices: [id], since: -1 },
        { devices: [id], sensors: ['$where'] },
        { devices: [id], everything: true },
        JSON.parse(`{"devices":["${id}"],"__proto__":{"since":0}}`),
      ];
      for (const message of bad) {
        expect([message, await ask(viewer, 'subscribe', message)]).toMatchObject(
          [message ?? null, { ok: false, code: 'INVALID_INPUT' }].map((part, index) => (index === 0 ? message : part)),
        );
      }
      expect(await ask(viewer, 'unsubscribe', { devices: 7 })).toMatchObject({ ok: false, code: 'INVALID_INPUT' });
      expect(await ask(viewer, 'subscribe', { devices: [id] })).toMatchObject({ ok: true });
    });

    test('a message above 1 MiB ends that connection only', async () => {
      const large = await connect(house(), '/telemetry', device.token, { transports: ['websocket'] });
      const closed = nextEvent(large, 'disconnect');
      large.emit('readings', { sensor: 's', value: 'x'.repeat(1_100_000) });
      expect(await closed).toMatch(/transport|server/);
      expect(await ask(socket, 'readings', { sensor: 's', value: 1 })).toMatchObject({ ok: true, accepted: 1 });
    });
  });
}
