import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import type { IConnectPacket } from 'mqtt-packet';
import { waitUntil } from '#testing';
import { startHouse, type StartedHouse, type TestDevice } from '../started-house.ts';
import { RawMqtt, type Version } from '../../../telemetry/test/mqtt/raw-mqtt.ts';

const VERSIONS: Version[] = [3, 4, 5];
const READING = { sensor: 'temperature', value: 21.5 };

describe('the MQTT endpoint', () => {
  let house: StartedHouse;
  let device: TestDevice;
  const open: RawMqtt[] = [];

  beforeAll(async () => {
    house = await startHouse({ RATE_LIMIT: 'off' });
    device = await house.newDevice();
  });
  afterEach(() => {
    for (const client of open.splice(0)) client.end();
  });
  afterAll(async () => {
    await house.stop();
  });

  async function raw(version: Version, more: Partial<IConnectPacket> = { username: device.token }) {
    const connected = await RawMqtt.connected(house.mqttPort, version, more);
    open.push(connected.client);
    return connected;
  }

  const client = async (version: Version = 5, more: Partial<IConnectPacket> = {}): Promise<RawMqtt> =>
    (await raw(version, { username: device.token, ...more })).client;

  async function unsaid(version: Version = 4): Promise<RawMqtt> {
    const opened = await RawMqtt.open(house.mqttPort, version);
    open.push(opened);
    return opened;
  }

  const received = async (): Promise<number> => {
    const { received: count } = (await house.asAdmin(`GET /api/devices/${device.id}/ledger`)) as unknown as {
      received: number;
    };
    return count;
  };

  describe.each(VERSIONS)('in version %d', (version) => {
    test('lets a device in by its access token as user name', async () => {
      const { connack } = await raw(version);
      expect(connack).toMatchObject({ sessionPresent: false });
      expect(version === 5 ? connack.reasonCode : connack.returnCode).toBe(0);
    });

    test('acknowledges readings of QoS 1 once they are durable', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(version, { username: own.token });
      connected.publish('device/me/data', READING, { messageId: 7 });
      expect(await connected.next('puback')).toMatchObject({ messageId: 7 });
      connected.publish(`/device/${own.id}/data`, [{ sensor: 'humidity', value: 40 }], { messageId: 8 });
      expect(await connected.next('puback')).toMatchObject({ messageId: 8 });
      expect(await house.latest(own.id, 2)).toMatchObject({ temperature: { value: 21.5 }, humidity: { value: 40 } });
    });

    test('takes QoS 2 exactly once, however often it is sent', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(version, { username: own.token });
      for (let time = 0; time < 3; time += 1) {
        connected.publish('device/me/data', READING, { qos: 2, messageId: 9 });
        await connected.next('pubrec');
      }
      connected.send({ cmd: 'pubrel', messageId: 9, reasonCode: 0 });
      expect(await connected.next('pubcomp')).toMatchObject({ messageId: 9 });
      connected.publish('device/me/data', READING, { qos: 2, messageId: 9 });
      await connected.next('pubrec');
      const ledger = await house.asAdmin(`GET /api/devices/${own.id}/ledger`);
      expect(ledger).toMatchObject({ received: 2 });
    });

    test('takes QoS 0 without an answer', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(version, { username: own.token });
      connected.publish('device/me/data', READING, { qos: 0 });
      await house.latest(own.id, 1);
      expect(connected.packets).toEqual([]);
    });

    test('acknowledges in the order in which messages came', async () => {
      const connected = await client(version);
      const topics = ['device/me/data', 'device/me/ping', 'v1/devices/me/telemetry'];
      for (let id = 1; id <= 60; id += 1)
        connected.publish(topics[id % 3] ?? '', id % 3 === 1 ? { c: 'PONG' } : READING, { messageId: id });
      const ids: (number | undefined)[] = [];
      while (ids.length < 60) ids.push((await connected.next('puback')).messageId);
      expect(ids).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    });

    test('answers PING with PONG on the topic as it was spelled, PONG with nothing and anything else with ERROR', async () => {
      const connected = await client(version);
      const topic = `/device/${device.id}/ping`;
      connected.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] });
      expect(await connected.next('suback')).toMatchObject({ granted: [0] });
      connected.publish(topic, { c: 'PONG' }, { messageId: 2 });
      connected.publish(topic, { c: 'PING' }, { messageId: 3 });
      expect(await connected.next('publish')).toMatchObject({ topic, payload: Buffer.from('{"c":"PONG"}') });
      connected.publish(topic, 'nonsense', { messageId: 4 });
      expect(await connected.next('publish')).toMatchObject({ topic, payload: Buffer.from('{"c":"ERROR"}') });
      await connected.settled();
      expect(connected.packets.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
    });

    test('refuses filters that are not in the table one by one, and goes on', async () => {
      const connected = await client(version);
      const filters = ['v1/devices/me/attributes', '#', 'device/+/ping', 'v1/devices/me/rpc/request/+'];
      connected.send({
        cmd: 'subscribe',
        messageId: 5,
        subscriptions: filters.map((topic) => ({ topic, qos: 2 as const })),
      });
      const refusal = version === 5 ? 0x87 : 0x80;
      expect(await connected.next('suback')).toMatchObject({ messageId: 5, granted: [1, refusal, refusal, 1] });
      connected.send({ cmd: 'unsubscribe', messageId: 6, unsubscriptions: ['v1/devices/me/attributes', 'nothing'] });
      const unsuback = await connected.next('unsuback');
      expect(unsuback).toMatchObject({ messageId: 6, ...(version === 5 ? { granted: [0, 0x11] } : {}) });
      await connected.settled();
    });

    test('gives no session back, and nobody’s messages to anybody', async () => {
      const { client: first } = await raw(version, { username: device.token, clean: false });
      first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'device/me/data', qos: 1 }] });
      await first.next('suback');
      first.publish('device/me/data', READING);
      await first.next('puback');
      await first.settled();
      expect(first.packets).toEqual([]);
      const { connack } = await raw(version, { username: device.token, clean: false });
      expect(connack.sessionPresent).toBe(false);
    });

    test('ends the older link of a device that connects anew', async () => {
      const older = await client(version);
      await client(version);
      if (version === 5) expect(await older.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
      await older.closed();
    });

    test('closes a link on which nothing came for one and a half times its keep-alive', async () => {
      const connected = await client(version, { keepalive: 1 });
      if (version === 5) expect(await connected.next('disconnect')).toMatchObject({ reasonCode: 0x8d });
      await connected.closed();
    });

    test('ends a link at once when its credential is revoked', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(version, { username: own.token });
      const { items } = await house.asAdmin(`GET /api/devices/${own.id}/credentials`);
      await house.asAdmin(`DELETE /api/devices/${own.id}/credentials/${String(items[0]?.['id'])}`);
      if (version === 5) expect(await connected.next('disconnect')).toMatchObject({ reasonCode: 0x98 });
      await connected.closed();
    });

    test('keeps the will of a link that was lost, and drops that of one that said goodbye', async () => {
      const own = await house.newDevice();
      const will = { topic: 'device/me/will', payload: Buffer.from('gone'), qos: 1 as const };
      const connection = async () => house.asAdmin(`GET /api/devices/${own.id}/connection`);
      const polite = await raw(version, { username: own.token, will });
      await waitUntil(async () => (await connection())['online'], { what: 'the device is online' });
      polite.client.send({ cmd: 'disconnect', reasonCode: 0 });
      await waitUntil(async () => (await connection())['online'] === false, { what: 'the device is offline' });
      expect(await connection()).toMatchObject({ will: null });
      const lost = await raw(version, { username: own.token, will });
      lost.client.end();
      await waitUntil(async () => (await connection())['will'], { what: 'the will is there' });
      expect(await connection()).toMatchObject({ will: { topic: 'device/me/will', payload: 'gone' } });
    });

    test('is spoken by the client library', async () => {
      const own = await house.newDevice();
      const library = await mqtt.connectAsync(`mqtt://127.0.0.1:${String(house.mqttPort)}`, {
        protocolVersion: version,
        protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
        username: own.token,
        reconnectPeriod: 0,
      });
      await library.subscribeAsync('v1/devices/me/rpc/request/+', { qos: 1 });
      await library.publishAsync('device/me/data', JSON.stringify(READING), { qos: 2 });
      await library.publishAsync('device/me/data', JSON.stringify({ sensor: 'b', value: true }), { qos: 1 });
      await library.endAsync();
      expect(await house.latest(own.id, 2)).toMatchObject({ b: { value: true } });
    });
  });

  describe('refuses a CONNECT', () => {
    test.each([
      ['with an unknown token', { username: 'nobody' }, 5, 0x86],
      ['with an unknown token and a password', { username: 'nobody', password: Buffer.from('x') }, 5, 0x86],
      ['with nothing but an unknown client id', { clientId: 'nobody' }, 2, 0x85],
      ['with nothing', { clientId: '' }, 5, 0x87],
      ['whose will is on a topic of another device', { will: willOn('device/other/data') }, 5, 0x87],
      ['whose client id has 64 KB', { username: 'nobody', clientId: 'x'.repeat(65_535) }, 2, 0x85],
    ] satisfies [string, Partial<IConnectPacket>, number, number][])('%s', async (_what, connect, code3, code5) => {
      const more = { ...('will' in connect ? { username: device.token } : {}), ...connect };
      const { client: older, connack } = await raw(4, more);
      expect(connack).toMatchObject({ returnCode: code3 });
      await older.closed();
      const { client: newer, connack: told } = await raw(5, more);
      expect(told).toMatchObject({ reasonCode: code5 });
      expect(told.properties?.reasonString).toMatch(/\w+ \w+/);
      await newer.closed();
    });

    test('of a version that there is not', async () => {
      const connected = await unsaid();
      connected.write([0x10, 12, 0, 4, ...Buffer.from('MQTT'), 9, 2, 0, 60, 0, 0]);
      await connected.closed();
      const older = await unsaid();
      older.write([0x10, 12, 0, 4, ...Buffer.from('MQTT'), 2, 2, 0, 60, 0, 0]);
      expect(await older.next('connack')).toMatchObject({ returnCode: 1 });
      await older.closed();
    });

    test('with an authentication method', async () => {
      const { connack } = await raw(5, { username: device.token, properties: { authenticationMethod: 'SCRAM' } });
      expect(connack).toMatchObject({ reasonCode: 0x8c });
    });

    test('without a client id that wants to keep a session, in 3.1.1', async () => {
      const connected = await unsaid();
      connected.write([0x10, 15, 0, 4, ...Buffer.from('MQTT'), 4, 0x80, 0, 60, 0, 0, 0, 1, 0x78]);
      expect(await connected.next('connack')).toMatchObject({ returnCode: 2 });
      expect((await raw(4, { username: device.token, clientId: '', clean: true })).connack.returnCode).toBe(0);
    });
  });

  describe('in version 5', () => {
    test('says what it takes, and gives a client id to a client without one', async () => {
      const { connack } = await raw(5, {
        username: device.token,
        clientId: '',
        properties: { sessionExpiryInterval: 60 },
      });
      expect(connack.properties).toMatchObject({
        receiveMaximum: expect.any(Number),
        maximumPacketSize: 1_048_576,
        retainAvailable: false,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: false,
        sessionExpiryInterval: 0,
      });
      expect(connack.properties?.assignedClientIdentifier).toMatch(/^fl-/);
    });

    test('gives the receipt of a batch of which some was rejected', async () => {
      const connected = await client();
      connected.send({
        cmd: 'publish',
        topic: 'device/me/data',
        payload: JSON.stringify([{ sensor: 'a' }, READING]),
        qos: 1,
        messageId: 3,
        dup: false,
        retain: false,
        properties: { userProperties: { batchId: 'batch-1' } },
      });
      const { properties } = await connected.next('puback');
      expect(JSON.parse(String(properties?.userProperties?.['receipt']))).toMatchObject({
        ok: true,
        batchId: 'batch-1',
        accepted: 1,
        rejected: [{ index: 0, code: 'BAD_VALUE' }],
      });
    });

    test.each([
      ['on a topic of another device', `device/01a1fefc-0b92-7000-bc20-fac11dbaf6a6/data`, READING, 0x87],
      ['on a reserved topic', '$SYS/broker', READING, 0x87],
      ['on a gateway’s topic', 'v1/gateway/telemetry', {}, 0x87],
      ['that is not JSON', 'device/me/data', 'not JSON', 0x99],
      ['that is not UTF-8', 'device/me/data', Buffer.from([0xff, 0xfe]), 0x99],
      ['without readings', 'device/me/data', [], 0x99],
    ])('refuses a publish %s with its reason, and goes on', async (_what, topic, payload, reasonCode) => {
      const connected = await client();
      connected.publish(topic, payload, { messageId: 4 });
      const puback = await connected.next('puback');
      expect(puback).toMatchObject({ messageId: 4, reasonCode });
      expect(puback.properties?.reasonString).toBeDefined();
      connected.publish(topic, payload, { qos: 2, messageId: 5 });
      expect(await connected.next('pubrec')).toMatchObject({ messageId: 5, reasonCode });
      connected.publish(topic, payload, { qos: 0 });
      expect(await connected.next('disconnect')).toMatchObject({ reasonCode });
      await connected.closed();
    });

    test.each([
      [
        'a wildcard in a topic',
        0x90,
        (c: RawMqtt) => {
          c.publish('device/+/data', READING);
        },
      ],
      [
        'no topic',
        0x90,
        (c: RawMqtt) => {
          c.publish('', READING);
        },
      ],
      [
        'retain',
        0x9a,
        (c: RawMqtt) => {
          c.publish('device/me/data', READING, { retain: true });
        },
      ],
      [
        'a topic alias',
        0x94,
        (c: RawMqtt) => {
          c.send({
            cmd: 'publish',
            topic: 'device/me/data',
            payload: '1',
            qos: 0,
            dup: false,
            retain: false,
            properties: { topicAlias: 1 },
          });
        },
      ],
      [
        'a subscription identifier',
        0xa1,
        (c: RawMqtt) => {
          c.send({
            cmd: 'subscribe',
            messageId: 1,
            subscriptions: [{ topic: 'v2/a', qos: 0 }],
            properties: { subscriptionIdentifier: 1 },
          });
        },
      ],
      [
        'a second CONNECT',
        0x82,
        (c: RawMqtt) => {
          c.connect({ username: 'x' });
        },
      ],
      [
        'AUTH',
        0x82,
        (c: RawMqtt) => {
          c.send({ cmd: 'auth', reasonCode: 0x18 });
        },
      ],
      [
        'an identifier of 0',
        0x81,
        (c: RawMqtt) => {
          c.write([0x32, 7, 0, 2, 0x61, 0x62, 0, 0, 0]);
        },
      ],
      [
        'QoS 3',
        0x81,
        (c: RawMqtt) => {
          c.write([0x36, 7, 0, 2, 0x61, 0x62, 0, 1, 0]);
        },
      ],
      [
        'a packet of 200 MB',
        0x95,
        (c: RawMqtt) => {
          c.write([0x32, 0xff, 0xff, 0xff, 0x5f]);
        },
      ],
      [
        'a remaining length of five bytes',
        0x81,
        (c: RawMqtt) => {
          c.write([0x32, 0xff, 0xff, 0xff, 0xff, 1]);
        },
      ],
      [
        'a topic that is not UTF-8',
        0x81,
        (c: RawMqtt) => {
          c.write([0x30, 5, 0, 2, 0xc3, 0x28, 0]);
        },
      ],
      [
        'U+0000 in a topic',
        0x81,
        (c: RawMqtt) => {
          c.write([0x30, 5, 0, 2, 0x61, 0, 0]);
        },
      ],
      [
        'a packet of the server',
        0x81,
        (c: RawMqtt) => {
          c.send({ cmd: 'suback', messageId: 1, granted: [0] });
        },
      ],
      [
        'a SUBSCRIBE without filters',
        0x81,
        (c: RawMqtt) => {
          c.write([0x82, 3, 0, 1, 0]);
        },
      ],
      [
        'a session that shall last',
        0x82,
        (c: RawMqtt) => {
          c.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 9 } });
        },
      ],
    ] satisfies [string, number, (client: RawMqtt) => void][])('ends a link for %s', async (_what, reasonCode, act) => {
      const connected = await client();
      act(connected);
      const disconnect = await connected.next('disconnect');
      expect(disconnect).toMatchObject({ reasonCode });
      expect(disconnect.properties?.reasonString).toBeDefined();
      await connected.closed();
    });

    test('ends a link that leaves more unacknowledged than the Receive Maximum', async () => {
      const { client: connected, connack } = await raw(5);
      const most = connack.properties?.receiveMaximum ?? 0;
      for (let messageId = 1; messageId <= most + 1; messageId += 1)
        connected.publish('device/me/data', READING, { qos: 2, messageId });
      expect(await connected.next('disconnect')).toMatchObject({ reasonCode: 0x93 });
      await connected.closed();
    });

    test('sends no more at once than the client takes, and nothing that is too large for it', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(5, {
        username: own.token,
        properties: { receiveMaximum: 2, maximumPacketSize: 128, requestProblemInformation: false },
      });
      for (let id = 1; id <= 4; id += 1) connected.publish('device/me/ping', { c: 'PING' }, { messageId: id });
      await waitUntil(() => connected.packets.filter(({ cmd }) => cmd === 'puback').length === 4, {
        what: 'all are acknowledged',
      });
      await connected.settled();
      const pongs = connected.packets.filter(({ cmd }) => cmd === 'publish');
      expect(pongs).toHaveLength(2);
      for (const { messageId } of pongs) connected.send({ cmd: 'puback', messageId, reasonCode: 0 });
      await waitUntil(() => connected.packets.filter(({ cmd }) => cmd === 'publish').length === 4, {
        what: 'the rest comes',
      });
      connected.publish('device/other/data', READING, { messageId: 9 });
      await waitUntil(() => connected.packets.find(({ cmd, messageId }) => cmd === 'puback' && messageId === 9), {
        what: 'it is refused',
      });
      expect(connected.packets.find(({ cmd, messageId }) => cmd === 'puback' && messageId === 9)).not.toHaveProperty(
        'properties',
      );
    });

    test('publishes a will on request', async () => {
      const own = await house.newDevice();
      const { client: connected } = await raw(5, { username: own.token, will: willOn('device/me/will') });
      connected.send({ cmd: 'disconnect', reasonCode: 4 });
      const connection = async () => house.asAdmin(`GET /api/devices/${own.id}/connection`);
      await waitUntil(async () => (await connection())['will'], { what: 'the will is there' });
    });
  });

  describe('before version 5', () => {
    test.each([
      ['on a topic of another device', 'device/other/data', READING],
      ['that is not JSON', 'device/me/data', 'not JSON'],
    ])('ends a link for a publish %s, and says why in the device’s record', async (_what, topic, payload) => {
      const own = await house.newDevice();
      const { client: connected } = await raw(4, { username: own.token });
      connected.publish(topic, payload);
      await connected.closed();
      expect(connected.packets).toEqual([]);
      const refused = await waitUntil(
        async () => {
          const { items } = await house.asAdmin(`GET /api/devices/${own.id}/connection/history`);
          return items.find(({ kind }) => kind === 'refused');
        },
        { what: 'the refusal is in the record' },
      );
      expect(refused).toMatchObject({ topic, reason: expect.stringMatching(/[A-Z_]+: /) });
    });

    test('takes retain for nothing', async () => {
      const connected = await client(4);
      connected.publish('device/me/data', READING, { retain: true });
      await connected.next('puback');
    });
  });

  test('takes what comes with the CONNECT once it is answered', async () => {
    const before = await received();
    const connected = await unsaid(4);
    connected.connect({ username: device.token });
    for (let id = 1; id <= 50; id += 1) connected.publish('device/me/data', READING, { messageId: id });
    await connected.next('connack');
    while ((await connected.next('puback')).messageId !== 50);
    expect(await received()).toBe(before + 50);
  });

  test('is spoken over WebSocket, beside socket.io and a plain GET', async () => {
    const own = await house.newDevice();
    const url = `ws://127.0.0.1:${String(house.httpPort)}/mqtt`;
    const library = await mqtt.connectAsync(url, { protocolVersion: 5, username: own.token, reconnectPeriod: 0 });
    await library.publishAsync('device/me/data', JSON.stringify(READING), { qos: 1 });
    expect(await house.latest(own.id, 1)).toMatchObject({ temperature: { value: 21.5 } });
    expect((await house.call('GET /mqtt')).body).toEqual({ c: 'FORBIDDEN' });
    expect((await house.call('GET /socket.io/?EIO=4&transport=polling')).status).toBe(200);
    await library.endAsync();
  });

  test('lets somebody without a device provision one, and do nothing else', async () => {
    const { client: connected, connack } = await raw(5, { username: 'provision' });
    expect(connack.reasonCode).toBe(0);
    connected.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: ['/provision/response', 'v1/devices/me/attributes'].map((topic) => ({ topic, qos: 0 as const })),
    });
    expect(await connected.next('suback')).toMatchObject({ granted: [0, 0x87] });
    connected.publish('device/me/data', READING, { messageId: 2 });
    expect(await connected.next('puback')).toMatchObject({ reasonCode: 0x87 });
  });
});

function willOn(topic: string): NonNullable<IConnectPacket['will']> {
  return { topic, payload: Buffer.from('gone'), qos: 0 };
}
