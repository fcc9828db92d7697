import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { IClientOptions } from 'mqtt';
import { z } from 'zod';
import type { House } from '../../house.ts';
import {
  ended,
  endAllMqtt,
  inboxOf,
  mqttOf,
  mqttTo,
  nextMessage,
  publish,
  refusedSubscription,
  webSocketOf,
} from '../../mqtt-clients.ts';
import { administrator, newDevice, newMac, newName, newUser } from '../../people.ts';
import { Receipt, readings, settledLedger, storedReadings } from '../../readings.ts';
import { connect, disconnectAll, nextEvent } from '../../sockets.ts';
import { read, Visitor } from '../../visitor.ts';

const VERSIONS: [string, IClientOptions][] = [
  ['3.1', { protocolVersion: 3, protocolId: 'MQIsdp', clientId: 'an-old-one' }],
  ['3.1.1', { protocolVersion: 4 }],
  ['5', { protocolVersion: 5 }],
];

/** MQTT as an endpoint: readings, credentials, topics. */
export function mqtt(house: () => House): void {
  describe('over MQTT', () => {
    afterAll(() => {
      endAllMqtt();
      disconnectAll();
    });

    test.each(VERSIONS)('version %s it sends readings, and each PUBACK is a receipt', async (_, options) => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      for (const url of [house().mqttUrl, webSocketOf(house().url)]) {
        const client = await mqttTo(url, { username: device.token, ...options });
        const sensor = new URL(url).protocol.slice(0, -1);
        await publish(client, 'device/me/data', readings(3, sensor));
        await publish(client, `device/${device.id}/data`, readings(1, `${sensor}-by-id`)[0]);
        await publish(client, `/device/${device.id}/data`, readings(1, `${sensor}-with-slash`));
        await publish(client, 'v1/devices/me/telemetry', { [`${sensor}-of-thingsboard`]: 21.5 });
        await client.endAsync();
      }
      expect(await settledLedger(visitor, device.id)).toMatchObject({ received: 12, stored: 12 });
    });

    test('it resends a batch without harm, and is told of each reading that is rejected', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const client = await mqttOf(house(), device.token);
      const batch = readings(5);
      for (let n = 0; n < 3; n += 1) await publish(client, 'device/me/data', batch, { batchId: 'the-same' });
      const mixed = [...readings(1, 'fine'), { sensor: 'not fine!', value: 1 }];
      const puback = await publish(client, 'device/me/data', mixed, { batchId: 'mixed' });
      const receipt = z
        .object({ properties: z.object({ userProperties: z.object({ receipt: z.string() }) }) })
        .parse(puback).properties.userProperties.receipt;
      expect(Receipt.parse(JSON.parse(receipt))).toMatchObject({
        batchId: 'mixed',
        accepted: 1,
        rejected: [{ index: 1, code: 'BAD_SENSOR' }],
      });
      expect(await settledLedger(visitor, device.id)).toMatchObject({ stored: 6, duplicate: 10, rejected: 1 });
      expect(await storedReadings(visitor, device.id)).toHaveLength(6);
    });

    test('QoS 2 is served, and QoS 0 is stored too', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const client = await mqttOf(house(), device.token);
      await client.publishAsync('device/me/data', JSON.stringify(readings(2, 'two')), { qos: 2 });
      await client.publishAsync('device/me/data', JSON.stringify(readings(2, 'zero')), { qos: 0 });
      await publish(client, 'device/me/data', readings(2, 'one'));
      expect(await settledLedger(visitor, device.id)).toMatchObject({ received: 6, stored: 6 });
    });

    test('viewers see what it sends', async () => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      const viewer = await connect(house(), '/live', token);
      await viewer.timeout(10_000).emitWithAck('subscribe', { devices: [device.id] });
      const seen = nextEvent(viewer, 'readings');
      await publish(await mqttOf(house(), device.token), 'device/me/data', readings(1, 'live'));
      expect(await seen).toMatchObject({ device: device.id, readings: [{ sensor: 'live' }] });
    });

    test('its user name and password of two steps let it in, written in any way', async () => {
      const number = newName('c').replace(' ', '-');
      const admin = await administrator(house());
      await admin.post('/api/customers', { number, name: number });
      const mac = newMac();
      const device = { customer_id: number, mac_address: mac };
      const anybody = new Visitor(house());
      const registered = await anybody.post('/provisioning/register', device);
      const { password } = read(registered, z.object({ password: z.string() }));
      house().secrets.add(password);
      const username = `${number}/${mac.toLowerCase()}`;
      const enter = () => mqttTo(house().mqttUrl, { username, password });
      await expect(enter()).rejects.toMatchObject({ reasonCode: 0x86 });
      await anybody.post('/provisioning/activate', { ...device, password });
      const client = await enterEventually(enter);
      await publish(client, 'device/me/data', readings(1));
    });

    test('a token of document 002 lets it in, as user name or as password', async () => {
      const { deviceKeys } = house();
      const uuid = randomUUID();
      const path = `/auth/devices/request?uuid=${uuid}`;
      const asked = await new Visitor(house()).get(path, { headers: { 'x-secret-key': deviceKeys?.master ?? '' } });
      const { t: token } = read(asked, z.object({ t: z.string() }));
      house().secrets.add(token);
      await publish(await mqttOf(house(), token), `device/${uuid}/data`, readings(1, 'a'));
      const second = await mqttTo(house().mqttUrl, { username: uuid, password: token });
      await publish(second, `/device/${uuid}/data`, readings(1, 'b'));
      expect(await settledLedger(await administrator(house()), uuid)).toMatchObject({ stored: 2 });
    });

    test.each([
      [4, { username: 'nobody’s token' }, 5],
      [5, { username: 'nobody’s token' }, 0x86],
      [4, { clientId: 'nobody’s-client' }, 2],
      [5, { clientId: 'nobody’s-client' }, 0x85],
    ] as const)('version %s with %j is refused with %s', async (protocolVersion, login, reasonCode) => {
      await expect(mqttTo(house().mqttUrl, { ...login, protocolVersion })).rejects.toMatchObject({ reasonCode });
    });

    test('a topic of somebody else’s is refused, and the device’s connection record says so', async () => {
      const { visitor } = await newUser(house());
      const [device, other] = [await newDevice(visitor), await newDevice(visitor)];
      const five = await mqttOf(house(), device.token);
      await expect(publish(five, `device/${other.id}/data`, readings(1))).rejects.toMatchObject({ code: 0x87 });
      await expect(publish(five, 'somewhere/else', 'x')).rejects.toMatchObject({ code: 0x87 });
      for (const filter of [`device/${other.id}/data`, '#', '$SYS/#', 'v1/devices/me/#'])
        expect(await refusedSubscription(five, filter)).toBe(0x87);
      await publish(five, 'device/me/data', readings(1));
      const three = await mqttOf(house(), device.token, { protocolVersion: 4 });
      const closed = ended(three);
      publish(three, `device/${other.id}/data`, readings(1)).catch(() => undefined);
      await closed;
      const History = z.object({ items: z.array(z.object({ kind: z.string(), topic: z.string().nullable() })) });
      const notes = async () => {
        const history = await visitor.get(`/api/devices/${device.id}/connection/history?limit=100`);
        return read(history, History).items.filter(({ kind }) => kind === 'refused');
      };
      const deadline = Date.now() + 10_000;
      while ((await notes()).length === 0 && Date.now() < deadline);
      expect(await notes()).toEqual(
        expect.arrayContaining([expect.objectContaining({ topic: `device/${other.id}/data` })]),
      );
      expect(await settledLedger(visitor, other.id)).toMatchObject({ received: 0 });
    });

    test('what is no reading is refused with 0x99, and nobody else’s connection ends', async () => {
      const { visitor } = await newUser(house());
      const [device, other] = [await newDevice(visitor), await newDevice(visitor)];
      const [client, neighbour] = [await mqttOf(house(), device.token), await mqttOf(house(), other.token)];
      for (const payload of ['', 'not JSON', '{"a":', '[]', '"text"', '[1,2]', '\u0000', '['.repeat(50_000)]) {
        await expect(publish(client, 'device/me/data', payload)).rejects.toMatchObject({ code: 0x99 });
      }
      await publish(client, 'device/me/data', readings(1));
      await publish(neighbour, 'device/me/data', readings(1));
    });

    test('a new connection takes over from the one before, whatever replica that was on', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      let before = await mqttOf(house(), device.token);
      for (const replica of [...house().replicas, ...house().replicas]) {
        const over = ended(before);
        const next = await mqttTo(webSocketOf(replica), { username: device.token });
        expect(await over).toBe(0x8e);
        before = next;
      }
      await publish(before, 'device/me/data', readings(1));
    });

    test('its connection ends at once when its credential is revoked, on every replica', async () => {
      const { visitor } = await newUser(house());
      for (const replica of house().replicas) {
        const device = await newDevice(visitor);
        const client = await mqttTo(webSocketOf(replica), { username: device.token });
        const over = ended(client);
        await visitor.delete(`/api/devices/${device.id}/credentials/${device.credentialId}`);
        expect(await over).toBe(0x98);
        await expect(mqttOf(house(), device.token)).rejects.toMatchObject({ reasonCode: 0x86 });
      }
    });

    test('PING is answered with PONG on the topic that it came on, and PONG with nothing', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const client = await mqttOf(house(), device.token, { protocolVersion: 4 });
      const inbox = inboxOf(client);
      for (const topic of [`device/${device.id}/ping`, `/device/${device.id}/ping`]) {
        await client.subscribeAsync(topic, { qos: 1 });
        const pong = nextMessage(client);
        await publish(client, topic, { c: 'PONG' });
        await publish(client, topic, { c: 'PING' });
        expect(await pong).toMatchObject({ topic, text: '{"c":"PONG"}' });
      }
      expect(inbox).toHaveLength(2);
    });
  });
}

/** A refusal is believed for two seconds. */
async function enterEventually<T>(enter: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await enter();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
