import { afterAll, describe, expect, test } from '@jest/globals';
import type { House } from '../house.ts';
import { newDevice, newUser } from '../people.ts';
import { readings, settledLedger, storedReadings } from '../readings.ts';
import { ask, connect, connectTo, disconnectAll } from '../sockets.ts';
import { Visitor } from '../visitor.ts';

/** Resending is harmless. */
export function resends(house: () => House): void {
  describe('a batch that is sent again', () => {
    afterAll(disconnectAll);

    const newSender = async () => {
      const { visitor } = await newUser(house());
      return { visitor, device: await newDevice(visitor) };
    };

    test('is stored once and counted as duplicates, through whatever replica and door it comes', async () => {
      const { visitor, device } = await newSender();
      const batch = readings(100);
      const doors = [
        ...(await Promise.all(house().replicas.map((replica) => connectTo(replica, '/telemetry', device.token)))),
      ];
      for (const door of doors) {
        expect(await ask(door, 'readings', batch, { batchId: 'b-1' })).toMatchObject({ ok: true, accepted: 100 });
      }
      const overHttp = await new Visitor(house(), device.token).post('/telemetry', batch);
      expect(overHttp).toMatchObject({ status: 200, body: { accepted: 100 } });
      const received = 100 * (doors.length + 1);
      expect(await settledLedger(visitor, device.id)).toMatchObject({
        received,
        stored: 100,
        duplicate: received - 100,
        conflict: 0,
      });
      expect(await storedReadings(visitor, device.id)).toHaveLength(100);
    });

    test('after its acknowledgement was lost is stored once', async () => {
      const { visitor, device } = await newSender();
      const batch = readings(200);
      const lost = await connect(house(), '/telemetry', device.token, { transports: ['websocket'] });
      lost.emit('readings', batch, { batchId: 'lost' });
      lost.io.engine.close();
      const again = await connect(house(), '/telemetry', device.token);
      expect(await ask(again, 'readings', batch, { batchId: 'lost' })).toMatchObject({ ok: true, accepted: 200 });
      const ledger = await settledLedger(visitor, device.id);
      expect(ledger).toMatchObject({ stored: 200, conflict: 0 });
      expect(ledger.received).toBe(ledger.stored + ledger.duplicate);
      expect(await storedReadings(visitor, device.id)).toHaveLength(200);
    });

    test('without timestamps is recognised by its batch id on the same replica', async () => {
      const { visitor, device } = await newSender();
      const replica = house().replicas[0]!;
      const socket = await connectTo(replica, '/telemetry', device.token);
      const batch = [
        { sensor: 'a', value: 1 },
        { sensor: 'a', value: 2 },
        { sensor: 'b', value: 3 },
      ];
      await ask(socket, 'readings', batch, { batchId: 'timeless' });
      await ask(socket, 'readings', batch, { batchId: 'timeless' });
      expect(await settledLedger(visitor, device.id)).toMatchObject({ received: 6, stored: 3, duplicate: 3 });
    });

    test('with another value for the same time is a conflict, and what was stored first stays', async () => {
      const { visitor, device } = await newSender();
      const [reading] = readings(1, 'level');
      const sender = new Visitor(house(), device.token);
      await sender.post('/telemetry', { ...reading, value: 'first' });
      await settledLedger(visitor, device.id);
      await sender.post('/telemetry', { ...reading, value: 'second' });
      expect(await settledLedger(visitor, device.id)).toMatchObject({
        received: 2,
        stored: 1,
        duplicate: 0,
        conflict: 1,
      });
      expect(await storedReadings(visitor, device.id)).toMatchObject([{ value: 'first' }]);
    });

    test('fifty times at once is stored once', async () => {
      const { visitor, device } = await newSender();
      const batch = readings(20);
      const sender = new Visitor(house(), device.token);
      const answers = await Promise.all(Array.from({ length: 50 }, () => sender.post('/telemetry', batch)));
      for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { accepted: 20 } });
      expect(await settledLedger(visitor, device.id)).toMatchObject({ received: 1_000, stored: 20, duplicate: 980 });
    });
  });
}
