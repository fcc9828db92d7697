import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import type { House } from '../../house.ts';
import {
  endAllMqtt,
  inboxOf,
  mqttTo,
  nextMessage,
  publish,
  refusedSubscription,
  webSocketOf,
} from '../../mqtt-clients.ts';
import { read, Visitor } from '../../visitor.ts';

/** Document 002: masters and their agents speak to each other, through whatever replicas they are on. */
export function relay(house: () => House): void {
  describe('a master and its agents', () => {
    const [master, agent, stranger] = [randomUUID(), randomUUID(), randomUUID()];
    const clients = new Map<string, MqttClient>();
    const of = (uuid: string): MqttClient => {
      const client = clients.get(uuid);
      if (!client) throw new Error(`${uuid} is not connected`);
      return client;
    };

    beforeAll(async () => {
      const { deviceKeys, replicas } = house();
      if (!deviceKeys) throw new Error('the house has no keys for devices that ask by their uuid');
      const enter = async (query: string, key: string, replica = ''): Promise<MqttClient> => {
        const headers = { 'x-secret-key': key };
        const asked = await new Visitor(house()).get(`/auth/devices/request?${query}`, { headers });
        const { t: username } = read(asked, z.object({ t: z.string() }));
        house().secrets.add(username);
        return mqttTo(webSocketOf(replica), { username });
      };
      clients.set(master, await enter(`uuid=${master}`, deviceKeys.master, replicas[0]));
      clients.set(agent, await enter(`uuid=${agent}&master=${master}`, deviceKeys.agent, replicas.at(-1)));
      clients.set(stranger, await enter(`uuid=${stranger}`, deviceKeys.agent, replicas[0]));
    });
    afterAll(endAllMqtt);

    test('hear each other on the topic that carries the other’s uuid', async () => {
      await of(agent).subscribeAsync(`device/${master}/master`, { qos: 1 });
      await of(master).subscribeAsync(`device/${agent}/master`, { qos: 1 });
      const order = nextMessage(of(agent));
      await publish(of(master), `device/${agent}/master`, { do: 'something' });
      expect(await order).toMatchObject({ topic: `device/${master}/master`, text: '{"do":"something"}' });
      const report = nextMessage(of(master));
      await publish(of(agent), `device/${master}/master`, { done: true });
      expect(await report).toMatchObject({ topic: `device/${agent}/master`, text: '{"done":true}' });
    });

    test('may each listen on the topic of their own uuid instead, and never hear themselves', async () => {
      await of(agent).unsubscribeAsync(`device/${master}/master`);
      await of(agent).subscribeAsync(`/device/${agent}/master`, { qos: 1 });
      const [ofAgent, ofMaster] = [inboxOf(of(agent)), inboxOf(of(master))];
      const order = nextMessage(of(agent));
      await publish(of(master), `device/${agent}/master`, { again: 1 });
      expect(await order).toMatchObject({ topic: `/device/${agent}/master`, text: '{"again":1}' });
      expect([ofAgent.length, ofMaster.length]).toEqual([1, 0]);
    });

    test('nobody else is heard, nor may listen', async () => {
      for (const uuid of [master, agent]) {
        const topic = `device/${uuid}/master`;
        await expect(publish(of(stranger), topic, 'hello')).rejects.toMatchObject({ code: 0x87 });
        expect(await refusedSubscription(of(stranger), topic)).toBe(0x87);
      }
      await expect(publish(of(master), `device/${stranger}/master`, 'hello')).rejects.toMatchObject({ code: 0x87 });
    });
  });
}
