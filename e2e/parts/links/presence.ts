import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { endAllMqtt, mqttTo, webSocketOf } from '../../mqtt-clients.ts';
import { newDevice, newUser } from '../../people.ts';
import { connect, connectTo, disconnectAll } from '../../sockets.ts';
import { read, Visitor } from '../../visitor.ts';

const Connection = z.object({
  online: z.boolean(),
  since: z.number().nullable(),
  lastSeen: z.number().nullable(),
  via: z.string().nullable(),
  replica: z.string().nullable(),
  address: z.string().nullable(),
  will: z.object({ topic: z.string(), payload: z.string() }).nullable(),
});
type Connection = z.output<typeof Connection>;

/** What the platform knows of a device's connection, waited for. */
export const becomes = (
  visitor: Visitor,
  deviceId: string,
  is: (connection: Connection) => boolean,
  what: string,
  timeoutMs = 10_000,
): Promise<Connection> =>
  waitUntil(
    async () => {
      const connection = read(await visitor.get(`/api/devices/${deviceId}/connection`), Connection);
      return is(connection) && connection;
    },
    { what, timeoutMs },
  );

/** Who is there, since when and by what. */
export function presence(house: () => House): void {
  describe('presence', () => {
    afterAll(() => {
      endAllMqtt();
      disconnectAll();
    });

    test('follows a device from link to link, on whatever replica', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      expect((await visitor.get(`/api/devices/${device.id}/connection`)).body).toMatchObject({
        online: false,
        via: null,
      });
      let before = 0;
      for (const replica of house().replicas) {
        const client = await mqttTo(webSocketOf(replica), { username: device.token });
        const there = await becomes(visitor, device.id, ({ online }) => online, 'it is online');
        expect(there).toMatchObject({ via: 'mqtt', replica: expect.any(String), address: expect.any(String) });
        expect(there.since).toBeGreaterThanOrEqual(before);
        await client.endAsync();
        before = (await becomes(visitor, device.id, ({ online }) => !online, 'it is offline')).since ?? 0;
      }
      const socket = await connectTo(house().replicas[0] ?? '', '/telemetry', device.token);
      await becomes(visitor, device.id, ({ online, via }) => online && via === 'socket', 'it is online by a socket');
      socket.disconnect();
      await becomes(visitor, device.id, ({ online }) => !online, 'it is offline');
      const History = z.object({ items: z.array(z.object({ kind: z.string() })) });
      const history = await visitor.get(`/api/devices/${device.id}/connection/history?limit=100`);
      const kinds = read(history, History).items.map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'online')).toHaveLength(house().replicas.length + 1);
      expect(kinds.filter((kind) => kind === 'offline')).toHaveLength(house().replicas.length + 1);
    });

    test('of a device that only sends requests holds for as long as it is heard', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      await new Visitor(house(), device.token).post('/telemetry', { sensor: 's', value: 1 });
      await becomes(visitor, device.id, ({ online, via }) => online && via === 'http', 'it is online by requests');
    });

    test('tells viewers, and what a lost link leaves as its will', async () => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      const viewer = await connect(house(), '/live', token);
      const seen: object[] = [];
      for (const event of ['presence', 'connection']) viewer.on(event, (what: object) => seen.push({ event, ...what }));
      const events = ['presence', 'connection'];
      await viewer.timeout(10_000).emitWithAck('subscribe', { devices: [device.id], events });
      const will = { topic: 'device/me/data', payload: Buffer.from('{"c":"GONE"}'), qos: 1, retain: false } as const;
      const client = await mqttTo(webSocketOf(house().replicas[0] ?? ''), { username: device.token, will });
      await becomes(visitor, device.id, ({ online }) => online, 'it is online');
      client.stream.destroy();
      const gone = await becomes(visitor, device.id, (now) => !now.online && now.will !== null, 'its will is there');
      expect(gone.will).toMatchObject({ topic: will.topic, payload: '{"c":"GONE"}' });
      await waitUntil(() => seen.length >= 3, { what: 'the viewer saw it come and go, and its will' });
      expect(seen).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ event: 'presence', device: device.id, online: true }),
          expect.objectContaining({ event: 'presence', device: device.id, online: false }),
          expect.objectContaining({ event: 'connection', device: device.id, kind: 'will', topic: will.topic }),
        ]),
      );
    });

    test('is nobody’s business who may not see the device', async () => {
      const device = await newDevice((await newUser(house())).visitor);
      const { visitor: stranger } = await newUser(house());
      expect([403, 404]).toContain((await stranger.get(`/api/devices/${device.id}/connection`)).status);
    });
  });
}
