import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { connectAsync, type MqttClient } from 'mqtt';
import { waitUntil } from '#testing';
import { startHouse, type StartedHouse, type TestDevice } from './started-house.ts';

/** A client and what it was sent. */
interface Device extends TestDevice {
  client: MqttClient;
  messages: { topic: string; payload: Buffer; qos: number }[];
  /** The JSON of the first message on a topic, once it is there. */
  message(topic: string): Promise<unknown>;
}

const at = (version: 4 | 5) => `MQTT ${version === 5 ? '5' : '3.1.1'}`;

/** ThingsBoard's device API over MQTT, where its own clients do not go. */
describe('a device that speaks the device API over MQTT', () => {
  let house: StartedHouse;
  const clients: MqttClient[] = [];

  beforeAll(async () => {
    house = await startHouse();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.endAsync(true);
  });
  afterAll(async () => {
    await house.stop();
  });

  async function connectAs(device: TestDevice, protocolVersion: 4 | 5 = 5): Promise<Device> {
    const client = await connectAsync({
      protocol: 'mqtt',
      host: '127.0.0.1',
      port: house.mqttPort,
      username: device.token,
      protocolVersion,
      reconnectPeriod: 0,
    });
    clients.push(client);
    const messages: Device['messages'] = [];
    client.on('message', (topic, payload, { qos }) => messages.push({ topic, payload, qos }));
    const message = async (topic: string): Promise<unknown> => {
      const found = await waitUntil(() => messages.find((one) => one.topic === topic), {
        what: `a message on ${topic}`,
      });
      return JSON.parse(found.payload.toString()) as unknown;
    };
    return { ...device, client, messages, message };
  }

  const connect = async (version: 4 | 5 = 5, more: Record<string, unknown> = {}) =>
    connectAs(await house.newDevice(more), version);

  const publish = ({ client }: Device, topic: string, content: unknown, qos: 0 | 1 = 1) =>
    client.publishAsync(
      topic,
      typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
      { qos },
    );

  /** The receipt of the next acknowledgement. */
  const receiptOf = ({ client }: Device): Promise<unknown> =>
    new Promise((resolve) => {
      client.on('packetreceive', (packet) => {
        if (packet.cmd !== 'puback') return;
        resolve(JSON.parse(String(packet.properties?.userProperties?.['receipt'] ?? null)));
      });
    });

  const isClosed = ({ client }: Device) => waitUntil(() => !client.connected, { what: 'the connection is closed' });

  const wordsOf = async (id: string): Promise<string[]> => {
    const { items } = await house.asAdmin(`GET /api/devices/${id}/connection/history`);
    return items.map(({ reason }) => String(reason));
  };

  describe.each([4, 5] as const)('version %d', (version) => {
    test.each(['v1/devices/me/telemetry', 'v2/t', 'v2/t/j'])('sends telemetry on %s', async (topic) => {
      const device = await connect(version);
      await publish(device, topic, [{ a: 1 }, { ts: Date.now() - 1_000, values: { b: '2' } }]);
      await publish(device, topic, { c: true }, 0);
      expect(await house.latest(device.id, 3)).toMatchObject({ a: { value: 1 }, b: { value: 2 }, c: { value: true } });
    });

    test('is answered in the family that it asks in, also where it has subscribed to nothing', async () => {
      const device = await connect(version);
      await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { s: 1 } });
      for (const [up, down] of [
        ['v1/devices/me/attributes/request/7', 'v1/devices/me/attributes/response/7'],
        ['v2/a/req/8', 'v2/a/res/8'],
        ['v2/a/req/j/9', 'v2/a/res/j/9'],
      ] as const) {
        await publish(device, up, { sharedKeys: 's' });
        expect(await device.message(down)).toEqual({ shared: { s: 1 } });
      }
      for (const [up, down] of [
        ['v1/devices/me/rpc/request/1', 'v1/devices/me/rpc/response/1'],
        ['v2/r/req/2', 'v2/r/res/2'],
        ['v2/r/req/j/3', 'v2/r/res/j/3'],
      ] as const) {
        await publish(device, up, { method: 'getSessionLimits', params: {} });
        expect(await device.message(down)).toMatchObject({ rateLimits: { messages: '500:1' } });
      }
    });

    test.each([
      ['v2/a', 'v2/r/req/+', 'v2/r/req/', 'v2/r/res/'],
      ['v2/a/j', 'v2/r/req/j/+', 'v2/r/req/j/', 'v2/r/res/j/'],
    ])('is told of attributes on %s and of commands on %s', async (attributes, commands, asked, answered) => {
      const device = await connect(version);
      await device.client.subscribeAsync([attributes, commands], { qos: 1 });
      await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { s: 2 } });
      expect(await device.message(attributes)).toEqual({ s: 2 });
      const sent = house.asAdmin(`POST /api/devices/${device.id}/commands`, { method: 'm', params: [1] });
      const { topic, payload } = await waitUntil(() => device.messages.find((one) => one.topic.startsWith(asked)), {
        what: 'the command is there',
      });
      expect(JSON.parse(payload.toString())).toEqual({ method: 'm', params: [1] });
      await publish(device, answered + topic.slice(asked.length), 'no JSON at all');
      expect(await sent).toMatchObject({ status: 'succeeded', result: 'no JSON at all' });
    });

    test('may say nothing at all in a claim, and is acknowledged whether or not it can be claimed', async () => {
      const device = await connect(version);
      await publish(device, 'v1/devices/me/claim', '');
      await publish(device, 'v1/devices/me/claim', { secretKey: 'x', durationMs: 60_000 });
      expect(device.client.connected).toBe(true);
    });
  });

  test('sends more readings in one message than a batch has', async () => {
    const device = await connect();
    const now = Date.now();
    const many = Array.from({ length: 3_000 }, (_, index) => ({ ts: now - index, values: { m: index } }));
    await publish(device, 'v1/devices/me/telemetry', many);
    await waitUntil(async () => (await house.asAdmin(`GET /api/devices/${device.id}/ledger`))['stored'] === 3_000, {
      what: 'all of them are stored',
    });
  });

  const BAD: [string, string | Buffer][] = [
    ['v1/devices/me/telemetry', ''],
    ['v1/devices/me/telemetry', '{a:1}'],
    ['v1/devices/me/telemetry', '5'],
    ['v1/devices/me/telemetry', '[1]'],
    ['v1/devices/me/telemetry', '{"ts":"x","values":{}}'],
    ['v1/devices/me/telemetry', Buffer.from([0xff, 0xfe])],
    ['v2/t/p', '{"a":1}'],
    ['v1/devices/me/attributes', '[]'],
    ['v1/devices/me/attributes/request/1', ''],
    ['v1/devices/me/attributes/request/x', '{}'],
    ['v1/devices/me/rpc/request/1', '{"params":{}}'],
    ['v1/devices/me/rpc/response/x', '{}'],
    ['v1/devices/me/claim', '[]'],
    ['v2/fw/request/1/chunk/x', ''],
    ['v2/fw/request/1/chunk/0', 'many'],
  ];

  test.each(BAD)(
    'of version 5 is told with the acknowledgement what is wrong on %s with %j',
    async (topic, payload) => {
      const device = await connect(5);
      await expect(publish(device, topic, payload)).rejects.toMatchObject({ code: 0x99 });
      expect(device.client.connected).toBe(true);
    },
  );

  test.each(BAD)(`of ${at(4)} loses its connection, and the reason is kept, for %s with %j`, async (topic, payload) => {
    const device = await connect(4);
    publish(device, topic, payload).catch(() => undefined);
    await isClosed(device);
    await waitUntil(async () => (await wordsOf(device.id)).some((words) => words.startsWith('BAD_PAYLOAD')), {
      what: 'the reason is in the history of its connection',
    });
  });

  test('is told in version 5 which of its values were not kept', async () => {
    const device = await connect(5);
    const receipt = receiptOf(device);
    await publish(device, 'v1/devices/me/telemetry', { good: 1, long: 'x'.repeat(5_000) });
    expect(await receipt).toMatchObject({
      ok: true,
      accepted: 1,
      rejected: [{ device: device.name, key: 'long', code: 'BAD_VALUE' }],
    });
    await expect(publish(device, 'v1/devices/me/telemetry', { ts: 5, values: { a: 1 } })).rejects.toMatchObject({
      code: 0x99,
    });
  });

  describe('that loads a package', () => {
    test('is told that there is none', async () => {
      const device = await connect();
      await device.client.subscribeAsync('v2/fw/error');
      await publish(device, 'v2/fw/request/1/chunk/0', '100');
      const { payload } = await waitUntil(() => device.messages.find(({ topic }) => topic === 'v2/fw/error'), {
        what: 'the error is there',
      });
      expect(payload.toString()).toBe('NOT_FOUND');
      expect(device.client.connected).toBe(true);
    });

    test('gets it in chunks, of the package that it began with', async () => {
      const device = await connect();
      const [first, second] = [randomBytes(1_000), randomBytes(1_000)];
      await assign(device, 'one', first);
      await publish(device, 'v2/fw/request/a/chunk/0', '600');
      await assign(device, 'two', second);
      await publish(device, 'v2/fw/request/a/chunk/1', '');
      await publish(device, 'v2/fw/request/a/chunk/2', '');
      await publish(device, 'v2/fw/request/b/chunk/0', '');
      const chunk = async (topic: string): Promise<Buffer> =>
        (await waitUntil(() => device.messages.find((one) => one.topic === `v2/fw/response/${topic}`), { what: topic }))
          .payload;
      expect(Buffer.concat([await chunk('a/chunk/0'), await chunk('a/chunk/1')])).toEqual(first);
      expect(await chunk('a/chunk/2')).toHaveLength(0);
      expect(await chunk('b/chunk/0')).toEqual(second);
    });

    async function assign(device: TestDevice, title: string, bytes: Buffer): Promise<void> {
      const uploaded = await fetch(`${house.url}/api/firmware?title=${title}&version=1`, {
        method: 'POST',
        headers: { Authorization: house.authorization, 'Content-Type': 'application/octet-stream' },
        body: bytes,
      });
      const { id } = (await uploaded.json()) as { id: string };
      await house.asAdmin(`PUT /api/devices/${device.id}/firmware`, { package: id });
    }
  });

  describe('for others', () => {
    test.each([
      ['v1/gateway/connect', { device: 'A' }],
      ['v1/gateway/telemetry', { A: [{ a: 1 }] }],
      ['v1/gateway/attributes', { A: { a: 1 } }],
    ])('may not use %s without being a gateway', async (topic, content) => {
      const device = await connect(5);
      await expect(publish(device, topic, content)).rejects.toMatchObject({ code: 0x87 });
    });

    test.each([
      ['v1/gateway/telemetry', { A: { a: 1 } }],
      ['v1/gateway/telemetry', { A: [{ a: 1 }], B: 5 }],
      ['v1/gateway/telemetry', {}],
      ['v1/gateway/telemetry', { '': [] }],
      ['v1/gateway/attributes', { A: [1] }],
      ['v1/gateway/attributes', []],
      ['v1/gateway/connect', { device: 5 }],
      ['v1/gateway/disconnect', {}],
      ['v1/gateway/attributes/request', { device: 'A', key: 'k' }],
      ['v1/gateway/rpc', { device: 'A', id: 'x', data: 1 }],
      ['v1/gateway/claim', { A: 'secret' }],
    ])('is refused as a whole what cannot be read, on %s: %j', async (topic, content) => {
      const gateway = await connect(5, { kind: 'gateway' });
      await expect(publish(gateway, topic, content)).rejects.toMatchObject({ code: 0x99 });
      expect((await house.asAdmin(`GET /api/devices?master=${gateway.id}`)).items).toEqual([]);
    });

    test('loses nothing of one device for what is wrong with another', async () => {
      const gateway = await connect(5, { kind: 'gateway' });
      const receipt = receiptOf(gateway);
      await publish(gateway, 'v1/gateway/telemetry', {
        good: [{ a: 1 }, { ts: Date.now(), values: { b: 2 }, metadata: { connector: 'c' } }],
        bad: [{ c: 'x'.repeat(5_000) }],
      });
      expect(await receipt).toMatchObject({
        accepted: 2,
        rejected: [{ device: 'bad', key: 'c', code: 'BAD_VALUE' }],
      });
      const { items } = await house.asAdmin(`GET /api/devices?master=${gateway.id}`);
      const good = items.find(({ name }) => name === 'good');
      expect(await house.latest(String(good?.['id']), 2)).toMatchObject({ a: { value: 1 }, b: { value: 2 } });
    });

    test('is told which of them were renamed or deleted', async () => {
      const gateway = await connect(5, { kind: 'gateway' });
      await gateway.client.subscribeAsync('v1/devices/me/rpc/request/+', { qos: 1 });
      await publish(gateway, 'v1/gateway/connect', { device: 'A' });
      const [child] = (await house.asAdmin(`GET /api/devices?master=${gateway.id}`)).items;
      const path = `/api/devices/${String(child?.['id'])}` as const;
      await house.asAdmin(`PATCH ${path}`, { name: 'B' });
      const notices = async (count: number): Promise<unknown[]> => {
        await waitUntil(() => gateway.messages.length === count, { what: 'it was told' });
        return gateway.messages.map(({ topic, payload }) => [topic, JSON.parse(payload.toString()) as unknown]);
      };
      const topic = 'v1/devices/me/rpc/request/0';
      const renamed = [topic, { method: 'gateway_device_renamed', params: { A: 'B' } }];
      expect(await notices(1)).toEqual([renamed]);
      await publish(gateway, 'v1/devices/me/rpc/response/0', { success: true });
      await publish(gateway, 'v1/gateway/telemetry', { B: [{ a: 1 }] });
      expect((await house.asAdmin(`GET /api/devices?master=${gateway.id}`)).items).toHaveLength(1);
      await house.asAdmin(`DELETE ${path}`);
      expect(await notices(2)).toEqual([renamed, [topic, { method: 'gateway_device_deleted', params: 'B' }]]);
    });

    test('finds a device anew that was deleted, and takes attributes and commands for it', async () => {
      const gateway = await connect(5, { kind: 'gateway' });
      await gateway.client.subscribeAsync(['v1/gateway/rpc', 'v1/gateway/attributes'], { qos: 1 });
      const child = async (): Promise<string | undefined> => {
        const { items } = await house.asAdmin(`GET /api/devices?master=${gateway.id}`);
        return items[0] && String(items[0]['id']);
      };
      await publish(gateway, 'v1/gateway/connect', { device: 'A', type: 'thermometer' });
      const first = await child();
      await house.asAdmin(`DELETE /api/devices/${String(first)}`);
      const second = await waitUntil(
        async () => {
          await publish(gateway, 'v1/gateway/telemetry', { A: [{ a: 1 }] });
          return child();
        },
        { what: 'the device is there again' },
      );
      expect(second).not.toBe(first);
      const sent = house.asAdmin(`POST /api/devices/${second}/commands`, { method: 'm' });
      const command = (await gateway.message('v1/gateway/rpc')) as { data: { id: number } };
      expect(command).toMatchObject({ device: 'A', data: { method: 'm' } });
      await publish(gateway, 'v1/gateway/rpc', { device: 'A', id: command.data.id, data: { error: 'no' } });
      expect(await sent).toMatchObject({ status: 'failed', error: 'no' });
    });
  });
});
