import { afterAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import type { House } from '../house.ts';
import { newDevice, newUser, type Person } from '../people.ts';
import { readings, settledLedger } from '../readings.ts';
import { ask, connect, connectTo, disconnectAll, nextEvent } from '../sockets.ts';

const CLIENTS = 60;

/** Ordinary clients on whatever replica they come to. */
export function replicas(house: () => House): void {
  describe('replicas', () => {
    afterAll(disconnectAll);

    /** Sends a batch through every socket and finds each reading once. */
    async function sendThroughAll(sockets: Socket[], person: Person, deviceId: string): Promise<void> {
      const until = Date.now() - 60_000;
      const receipts = await Promise.all(
        sockets.map((socket, index) => ask(socket, 'readings', readings(5, `client-${index}`, until))),
      );
      for (const receipt of receipts) expect(receipt).toMatchObject({ ok: true, accepted: 5, rejected: [] });
      const all = 5 * sockets.length;
      expect(await settledLedger(person.visitor, deviceId)).toMatchObject({ received: all, stored: all, duplicate: 0 });
    }

    test(`${CLIENTS} ordinary clients, which start with polling, connect, upgrade and send`, async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const sockets = await Promise.all(
        Array.from({ length: CLIENTS }, () => connect(house(), '/telemetry', device.token)),
      );
      await sendThroughAll(sockets, person, device.id);
      await Promise.all(sockets.map(upgraded));
      for (const socket of sockets) expect(socket.connected).toBe(true);
      disconnectAll();
    });

    test(`${CLIENTS} clients that never upgrade from polling send and stay connected`, async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const sockets = await Promise.all(
        Array.from({ length: CLIENTS }, () =>
          connect(house(), '/telemetry', device.token, { transports: ['polling'] }),
        ),
      );
      await sendThroughAll(sockets, person, device.id);
      for (const socket of sockets) expect(socket.connected).toBe(true);
      disconnectAll();
    });

    test(`${CLIENTS} clients with WebSocket only are spread over every replica`, async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const before = await connectionsOfReplicas(house());
      const sockets = await Promise.all(
        Array.from({ length: CLIENTS }, () =>
          connect(house(), '/telemetry', device.token, { transports: ['websocket'] }),
        ),
      );
      await sendThroughAll(sockets, person, device.id);
      const after = await connectionsOfReplicas(house());
      for (const [index, count] of after.entries()) expect(count).toBeGreaterThan(before[index] ?? 0);
      disconnectAll();
    });

    test('a viewer on one replica sees what came in through the other', async () => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      const [first = '', last = ''] = [house().replicas.at(0), house().replicas.at(-1)];
      const viewer = await connectTo(first, '/live', token);
      const sender = await connectTo(last, '/telemetry', device.token);
      await ask(viewer, 'subscribe', { devices: [device.id] });
      const seen = nextEvent(viewer, 'readings');
      const reading = { sensor: 'through-the-other', ts: Date.now(), value: 1 };
      await ask(sender, 'readings', reading);
      expect(await seen).toMatchObject({ device: device.id, readings: [reading] });
    });

    test('what is asked of one replica has what came in through the other', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      for (const [index, replica] of house().replicas.entries()) {
        const sender = await connectTo(replica, '/telemetry', device.token);
        await ask(sender, 'readings', readings(10, `through-${index}`));
      }
      await settledLedger(visitor, device.id);
      for (const replica of house().replicas) {
        const latest = await visitor.get(`${replica}/api/devices/${device.id}/latest`);
        expect(Object.keys(latest.body ?? {})).toHaveLength(house().replicas.length);
      }
    });
  });
}

const upgraded = ({ io: { engine } }: Socket): Promise<void> =>
  engine.transport.name === 'websocket'
    ? Promise.resolve()
    : new Promise((resolve) => engine.once('upgrade', () => resolve()));

/** How many connections each replica says it has; empty where its metrics cannot be reached. */
async function connectionsOfReplicas({ own, replicas: addresses }: House): Promise<number[]> {
  if (!own) return [];
  return Promise.all(
    addresses.map(async (address) => {
      const text = await (await fetch(`${address}/metrics`)).text();
      const counts = [...text.matchAll(/^fieldline_connections(?:\{[^}]*\})? (\d+)/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    }),
  );
}
