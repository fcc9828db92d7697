import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startHouse, type StartedHouse } from '../started-house.ts';
import { RawMqtt, type Version } from '../../../telemetry/test/mqtt/raw-mqtt.ts';

const KEYS = { DEVICE_MASTER_SECRET_KEY: 'the key of masters', DEVICE_AGENT_SECRET_KEY: 'the key of agents' };
const MESSAGE = { c: 'OPEN', valve: 3 };

describe('a master and its agent', () => {
  let house: StartedHouse;
  const master = randomUUID();
  const agent = randomUUID();
  const stranger = randomUUID();
  const tokens = new Map<string, string>();
  const open: RawMqtt[] = [];

  beforeAll(async () => {
    house = await startHouse(KEYS);
    const ask = async (uuid: string, key: string, query = ''): Promise<void> => {
      const { body } = await house.call(`GET /auth/devices/request?uuid=${uuid}${query}`, undefined, {
        'x-secret-key': key,
      });
      tokens.set(uuid, String(body['t']));
    };
    await ask(master, KEYS.DEVICE_MASTER_SECRET_KEY);
    await ask(agent, KEYS.DEVICE_AGENT_SECRET_KEY, `&master=${master}`);
    await ask(stranger, KEYS.DEVICE_MASTER_SECRET_KEY);
  });
  afterEach(() => {
    for (const client of open.splice(0)) client.end();
  });
  afterAll(async () => {
    await house.stop();
  });

  async function device(uuid: string, version: Version = 5, filters: string[] = []): Promise<RawMqtt> {
    const { client, connack } = await RawMqtt.connected(house.mqttPort, version, {
      username: uuid,
      password: Buffer.from(tokens.get(uuid) ?? ''),
    });
    expect(connack.reasonCode ?? connack.returnCode).toBe(0);
    open.push(client);
    if (filters.length === 0) return client;
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
    expect(await client.next('suback')).toMatchObject({ granted: filters.map(() => 1) });
    return client;
  }

  const message = { payload: Buffer.from(JSON.stringify(MESSAGE)) };

  test('write to each other on the id of the other one', async () => {
    const m = await device(master, 5, [`device/${agent}/master`]);
    const a = await device(agent, 4, [`/device/${master}/master`]);
    m.publish(`device/${agent}/master`, MESSAGE);
    expect(await a.next('publish')).toMatchObject({ topic: `/device/${master}/master`, ...message });
    expect(await m.next('puback')).toMatchObject({ reasonCode: 0 });
    a.publish(`device/${master}/master`, MESSAGE);
    expect(await m.next('publish')).toMatchObject({ topic: `device/${agent}/master`, ...message });
    await m.settled();
    expect(m.packets).toEqual([]);
  });

  test('hear each other on their own id', async () => {
    const m = await device(master, 5, [`device/${master}/master`]);
    const a = await device(agent, 5, [`/device/${agent}/master`]);
    m.publish(`device/${agent}/master`, MESSAGE);
    expect(await a.next('publish')).toMatchObject({ topic: `/device/${agent}/master`, ...message });
    expect(await m.next('puback')).toMatchObject({ reasonCode: 0 });
    a.publish(`/device/${master}/master`, MESSAGE);
    expect(await m.next('publish')).toMatchObject({ topic: `device/${master}/master`, ...message });
  });

  test('are told in version 5 that nobody is there', async () => {
    const m = await device(master);
    m.publish(`device/${agent}/master`, MESSAGE);
    expect(await m.next('puback')).toMatchObject({ reasonCode: 0x10 });
  });

  test('are nobody else’s to write to or to listen to', async () => {
    const other = await device(stranger);
    other.publish(`device/${agent}/master`, MESSAGE);
    expect(await other.next('puback')).toMatchObject({ reasonCode: 0x87 });
    other.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `device/${agent}/master`, qos: 0 }] });
    expect(await other.next('suback')).toMatchObject({ granted: [0x87] });
  });
});
