import { afterAll, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { endAllMqtt, inboxOf, mqttTo, nextMessage, publish, webSocketOf } from '../../mqtt-clients.ts';
import { newDevice, newUser, type Device } from '../../people.ts';
import { ask, connect, connectTo, disconnectAll, nextEvent } from '../../sockets.ts';
import type { Visitor } from '../../visitor.ts';

const CHANGES = 'v1/devices/me/attributes';

/** The twin: what a device says of itself, and what it is told. */
export function attributes(house: () => House): void {
  describe('attributes', () => {
    afterAll(() => {
      endAllMqtt();
      disconnectAll();
    });

    const newOwned = async (): Promise<{ visitor: Visitor; token: string; device: Device; path: string }> => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      return { visitor, token, device, path: `/api/devices/${device.id}/attributes` };
    };
    const listening = async (device: Device, replica = house().replicas[0] ?? ''): Promise<MqttClient> => {
      const client = await mqttTo(webSocketOf(replica), { username: device.token });
      return client;
    };

    test('are merged, versioned and deleted by people', async () => {
      const { visitor, path } = await newOwned();
      expect((await visitor.get(path)).body).toEqual({ client: {}, shared: {}, server: {} });
      const first = await visitor.patch(path, { shared: { interval: 30, net: { a: 1, b: 2 } }, server: { rack: 'A' } });
      expect(first).toMatchObject({ status: 200 });
      const etag = first.headers.get('etag') ?? '';
      const second = await visitor.patch(path, { shared: { net: { a: null, c: 3 }, interval: null } });
      expect(second.body).toEqual({ client: {}, shared: { net: { b: 2, c: 3 } }, server: { rack: 'A' } });
      const stale = { headers: { 'If-Match': etag } };
      expect(await visitor.patch(path, { server: { rack: 'B' } }, stale)).toMatchObject({
        status: 412,
        code: 'VERSION_MISMATCH',
      });
      const now = { headers: { 'If-Match': second.headers.get('etag') ?? '' } };
      expect(await visitor.patch(path, { server: { rack: 'B' } }, now)).toMatchObject({ status: 200 });
      expect((await visitor.patch(path, { client: { not: 'theirs' } })).status).toBe(422);
      expect((await visitor.patch(path, { shared: { big: 'x'.repeat(300_000) } })).status).toBeGreaterThan(399);
    });

    test('fifty changes at once all count', async () => {
      const { visitor, path } = await newOwned();
      const bases = [house().url, ...house().replicas];
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          visitor.patch(`${bases[n % bases.length] ?? ''}${path}`, { shared: { [`key-${String(n)}`]: n } }),
        ),
      );
      for (const answer of answers) expect(answer.status).toBe(200);
      const { body } = await visitor.get(path);
      expect(body).toMatchObject({
        shared: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`key-${String(n)}`, n])),
      });
    });

    test('that are shared reach the device as they change, over MQTT and over socket.io', async () => {
      const { visitor, device, path } = await newOwned();
      const client = await listening(device);
      await client.subscribeAsync(CHANGES, { qos: 1 });
      const other = `${house().replicas.at(-1) ?? ''}${path}`;
      const changed = nextMessage(client);
      await visitor.patch(other, { shared: { interval: 30 }, server: { secret: 'not told' } });
      expect(await changed).toMatchObject({ topic: CHANGES, text: '{"interval":30}' });
      const deleted = nextMessage(client);
      await visitor.patch(other, { shared: { interval: null } });
      expect(await deleted).toMatchObject({ topic: CHANGES, text: '{"deleted":["interval"]}' });
      await client.endAsync();

      const auth = { token: device.token, listens: ['attributes'] };
      const socket = await connectTo(house().replicas[0] ?? '', '/telemetry', device.token, { auth });
      const told = new Promise((resolve) => {
        socket.on('attributes', (update: unknown, ack: (has: boolean) => void) => {
          ack(true);
          resolve(update);
        });
      });
      await visitor.patch(other, { shared: { mode: 'eco' } });
      expect(await told).toMatchObject({ changed: { mode: 'eco' }, deleted: [] });
    });

    test('that it missed come when it connects, once and in order', async () => {
      const { visitor, device, path } = await newOwned();
      for (let n = 1; n <= 3; n += 1) await visitor.patch(path, { shared: { [`step-${String(n)}`]: n } });
      const client = await listening(device, house().replicas.at(-1));
      const inbox = inboxOf(client);
      await client.subscribeAsync(CHANGES, { qos: 1 });
      await waitUntil(() => inbox.length >= 3, { what: 'the device is told what it missed' });
      expect(inbox.map(({ text }) => text)).toEqual(['{"step-1":1}', '{"step-2":2}', '{"step-3":3}']);
      await client.endAsync();

      const again = await listening(device);
      const second = inboxOf(again);
      await again.subscribeAsync(CHANGES, { qos: 1 });
      await visitor.patch(path, { shared: { last: true } });
      await waitUntil(() => second.length > 0, { what: 'the device is told of the last change' });
      expect(second.map(({ text }) => text)).toEqual(['{"last":true}']);
    });

    test('that it reports are there for people at once, and it asks for what it wants by key', async () => {
      const { visitor, token, device, path } = await newOwned();
      await visitor.patch(path, { shared: { a: 1, b: 2 }, server: { hidden: true } });
      const viewer = await connect(house(), '/live', token);
      await viewer.timeout(10_000).emitWithAck('subscribe', { devices: [device.id], events: ['attributes'] });
      const seen = nextEvent(viewer, 'attributes');
      const client = await listening(device);
      await publish(client, CHANGES, { model: 'T-1', fw: { v: 3 } });
      expect((await visitor.get(path)).body).toMatchObject({ client: { model: 'T-1', fw: { v: 3 } } });
      expect(await seen).toMatchObject({ device: device.id, scope: 'client', changed: { model: 'T-1' } });
      const reply = nextMessage(client);
      await publish(client, 'v1/devices/me/attributes/request/7', { clientKeys: 'model', sharedKeys: 'a,hidden' });
      const { topic, text } = await reply;
      expect(topic).toBe('v1/devices/me/attributes/response/7');
      expect(JSON.parse(text)).toEqual({ client: { model: 'T-1' }, shared: { a: 1 } });

      const socket = await connect(house(), '/telemetry', device.token);
      expect(await ask(socket, 'attributes:report', { model: 'T-2', fw: null })).toMatchObject({ ok: true });
      expect(await ask(socket, 'attributes:get', { client: true, shared: ['b'] })).toMatchObject({
        ok: true,
        client: { model: 'T-2' },
        shared: { b: 2 },
      });
      expect(await ask(socket, 'attributes:report', 'nothing')).toMatchObject({ ok: false, code: expect.any(String) });
    });
  });
}
