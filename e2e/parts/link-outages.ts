import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { waitUntil } from '#testing';
import type { SuiteHouse } from '../house.ts';
import { endAllMqtt, ended, mqttOf, mqttTo, publish, webSocketOf } from '../mqtt-clients.ts';
import { newDevice, newUser, type Device, type Person } from '../people.ts';
import { readings, settledLedger } from '../readings.ts';
import { becomes } from './links/presence.ts';
import { ready } from './outages.ts';

/** How long presence may be wrong after the replica that held a link has died, in ms. */
const PRESENCE_RIGHT_MS = 30_000;

/** What becomes of links while something is away. */
export function linkOutages(house: () => SuiteHouse): void {
  describe('a link while something is away', () => {
    afterEach(async () => {
      endAllMqtt();
      const { mysql, nats } = house().servers;
      for (const server of [mysql, nats]) if (!server.process.running) await server.restart();
      for (const service of Object.values(house().own.services)) if (!service.running) await service.restart();
      await ready(house());
    }, 90_000);
    afterAll(endAllMqtt);

    const newLine = async (): Promise<{ person: Person; device: Device; client: MqttClient }> => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const client = await mqttOf(house(), device.token);
      await publish(client, 'device/me/data', readings(5, 'before'));
      return { person, device, client };
    };

    test('NATS: its PUBACK is held back, and comes when the readings are durable', async () => {
      const { person, device, client } = await newLine();
      await house().servers.nats.kill();
      let acknowledged = 0;
      const sent = Array.from({ length: 5 }, (_, n) =>
        client
          .publishAsync('device/me/data', JSON.stringify(readings(10, `during-${String(n)}`)), { qos: 1 })
          .then(() => (acknowledged += 1)),
      );
      await waitUntil(async () => (await fetch(`${house().replicas[0] ?? ''}/health/ready`)).status === 503, {
        what: 'telemetry notices that NATS is away',
        timeoutMs: 20_000,
      });
      expect([acknowledged, client.connected]).toEqual([0, true]);
      await house().servers.nats.restart();
      await Promise.all(sent);
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ stored: 55, conflict: 0 });
    }, 90_000);

    test('MySQL: links go on, and so do readings', async () => {
      const { person, device, client } = await newLine();
      await house().servers.mysql.kill();
      for (let n = 0; n < 20; n += 1) await publish(client, 'device/me/data', readings(5, `during-${String(n)}`));
      expect(client.connected).toBe(true);
      await house().servers.mysql.restart();
      await ready(house());
      expect(await settledLedger(person.visitor, device.id)).toMatchObject({ received: 105, stored: 105 });
      await becomes(person.visitor, device.id, ({ online }) => online, 'it is online, as it was all the while');
    }, 90_000);

    test('the replica that held it: it is offline within half a minute, or online where it came back to', async () => {
      const person = await newUser(house());
      const [gone, back] = [await newDevice(person.visitor), await newDevice(person.visitor)];
      const [first = '', second = ''] = house().replicas;
      const links = [];
      for (const device of [gone, back]) links.push(await mqttTo(webSocketOf(first), { username: device.token }));
      for (const { id } of [gone, back]) await becomes(person.visitor, id, ({ online }) => online, 'it is online');
      const lost = links.map((link) => ended(link));
      await house().own.services['telemetry-1']?.kill();
      await Promise.all(lost);
      await mqttTo(webSocketOf(second), { username: back.token });
      const at = `${second}/api/devices`;
      await waitUntil(
        async () => (await person.visitor.get(`${at}/${gone.id}/connection`)).text.includes('"online":false'),
        { what: 'the one that has gone is offline', timeoutMs: PRESENCE_RIGHT_MS },
      );
      expect((await person.visitor.get(`${at}/${back.id}/connection`)).body).toMatchObject({ online: true });
    }, 90_000);
  });
}
