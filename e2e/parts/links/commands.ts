import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { endAllMqtt, inboxOf, mqttTo, publish, webSocketOf, type Message } from '../../mqtt-clients.ts';
import { newDevice, newUser, type Device } from '../../people.ts';
import { connect, connectTo, disconnectAll } from '../../sockets.ts';
import { read, Visitor } from '../../visitor.ts';

const REQUESTS = 'v1/devices/me/rpc/request/+';
const Command = z.object({ id: z.string(), status: z.string(), result: z.unknown() });
const Commands = z.object({ items: z.array(Command) });

/** The platform asks, the device answers. */
export function commands(house: () => House): void {
  describe('commands', () => {
    afterAll(() => {
      endAllMqtt();
      disconnectAll();
    });

    const newOwned = async (): Promise<{ visitor: Visitor; token: string; device: Device; path: string }> => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      return { visitor, token, device, path: `/api/devices/${device.id}/commands` };
    };
    const mqttDevice = (device: Device, replica = house().replicas[0] ?? '') =>
      mqttTo(webSocketOf(replica), { username: device.token });
    const last = (): string => house().replicas.at(-1) ?? '';

    /** Answers every command with what it was asked. */
    async function echoing(client: MqttClient): Promise<Message[]> {
      const inbox = inboxOf(client);
      client.on('message', (topic, payload) => {
        publish(client, topic.replace('request', 'response'), payload).catch(() => undefined);
      });
      await client.subscribeAsync(REQUESTS, { qos: 1 });
      return inbox;
    }

    test('reach a device over MQTT from any replica, and its answer comes back', async () => {
      const { visitor, device, path } = await newOwned();
      const inbox = await echoing(await mqttDevice(device));
      const body = { method: 'set-light', params: { on: true } };
      for (const base of [house().url, ...house().replicas]) {
        expect(await visitor.post(`${base}${path}`, body)).toMatchObject({
          status: 200,
          body: { id: expect.any(String), status: 'succeeded', result: body },
        });
      }
      expect(inbox.map(({ text }): unknown => JSON.parse(text))).toEqual(inbox.map(() => body));
      const history = read(await visitor.get(`${path}?limit=10`), Commands).items;
      expect(history.map(({ status }) => status)).toEqual(inbox.map(() => 'succeeded'));
    });

    test('reach a device over socket.io, which may refuse them', async () => {
      const { visitor, device, path } = await newOwned();
      const replica = house().replicas[0] ?? '';
      const auth = { token: device.token, listens: ['commands'] };
      const socket = await connectTo(replica, '/telemetry', device.token, { auth });
      socket.on(
        'command',
        ({ method, params }: { method: string; params: unknown }, ack: (answer: unknown) => void) => {
          ack(method === 'echo' ? { ok: true, result: params } : { ok: false, error: `no ${method} here` });
        },
      );
      const ask = (method: string) => visitor.post(`${last()}${path}`, { method, params: [1, 'two'] });
      expect(await ask('echo')).toMatchObject({ status: 200, body: { status: 'succeeded', result: [1, 'two'] } });
      expect(await ask('dance')).toMatchObject({ status: 200, body: { status: 'failed', error: 'no dance here' } });
    });

    test('say so when the device is not there, or does not answer in time', async () => {
      const { visitor, device, path } = await newOwned();
      expect(await visitor.post(path, { method: 'x' })).toMatchObject({ status: 409, code: 'DEVICE_OFFLINE' });
      const client = await mqttDevice(device);
      await client.subscribeAsync(REQUESTS, { qos: 1 });
      expect(await visitor.post(path, { method: 'x', timeoutMs: 300 })).toMatchObject({
        status: 504,
        code: 'DEVICE_TIMEOUT',
      });
      await waitUntil(
        async () => read(await visitor.get(path), Commands).items.some(({ status }) => status === 'timed-out'),
        { what: 'the history says that it was timed out' },
      );
    });

    test('wait for a device that is away when they are to, and come in order, once', async () => {
      const { visitor, device, path } = await newOwned();
      const queued: string[] = [];
      for (let n = 1; n <= 5; n += 1) {
        const answer = await visitor.post(path, { method: 'step', params: n, persist: true });
        expect(answer).toMatchObject({ status: 202, body: { status: 'queued' } });
        queued.push(read(answer, z.object({ id: z.string() })).id);
      }
      const cancelled = queued.pop() ?? '';
      expect((await visitor.delete(`${path}/${cancelled}`)).status).toBeLessThan(300);
      expect(await visitor.delete(`${path}/${cancelled}`)).toMatchObject({ status: 409, code: 'COMMAND_ENDED' });
      const inbox = await echoing(await mqttDevice(device, last()));
      await waitUntil(
        async () => {
          const answers = await Promise.all(queued.map((id) => visitor.get(`${path}/${id}`)));
          return answers.every((answer) => read(answer, Command).status === 'succeeded');
        },
        { what: 'the device has answered all of them' },
      );
      expect(inbox.map(({ text }) => z.object({ params: z.number() }).parse(JSON.parse(text)).params)).toEqual([
        1, 2, 3, 4,
      ]);
      const again = await echoing(await mqttDevice(device));
      expect(await visitor.post(path, { method: 'step', params: 6 })).toMatchObject({ status: 200 });
      expect(again).toHaveLength(1);
    });

    test('with the same idempotency key are one command, fifty times at once', async () => {
      const { visitor, device, path } = await newOwned();
      const inbox = await echoing(await mqttDevice(device));
      const sending = { headers: { 'Idempotency-Key': randomUUID() } };
      const body = { method: 'once', params: {} };
      const bases = [house().url, ...house().replicas];
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => visitor.post(`${bases[n % bases.length] ?? ''}${path}`, body, sending)),
      );
      for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { status: 'succeeded' } });
      expect(new Set(answers.map((answer) => read(answer, Command).id)).size).toBe(1);
      expect(inbox).toHaveLength(1);
      expect(await visitor.post(path, { ...body, method: 'twice' }, sending)).toMatchObject({
        status: 422,
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
    });

    test('are nobody’s business who may not use the device', async () => {
      const { device, path } = await newOwned();
      const { visitor: stranger } = await newUser(house());
      const answers = [
        await stranger.post(path, { method: 'x' }),
        await stranger.get(path),
        await new Visitor(house()).post(path, { method: 'x' }),
        await new Visitor(house(), device.token).post(path, { method: 'x' }),
      ];
      for (const { status } of answers) expect([401, 403, 404]).toContain(status);
      for (const body of [{}, { method: '' }, { method: 'x', timeoutMs: -1 }, { method: 'x', more: 1 }, []]) {
        expect(await (await newUser(house())).visitor.post(path, body)).toMatchObject({
          status: expect.any(Number),
          code: expect.any(String),
        });
      }
    });

    test('are seen by viewers as they go on', async () => {
      const { visitor, token, device, path } = await newOwned();
      await echoing(await mqttDevice(device));
      const viewer = await connect(house(), '/live', token);
      const seen: string[] = [];
      viewer.on('command', (event: { device: string; status: string }) => {
        if (event.device === device.id) seen.push(event.status);
      });
      await viewer.timeout(10_000).emitWithAck('subscribe', { devices: [device.id], events: ['command'] });
      await visitor.post(path, { method: 'x' });
      await waitUntil(() => seen.includes('succeeded'), { what: 'the viewer saw the answer' });
    });
  });
}
