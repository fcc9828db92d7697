import { afterEach, describe, expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { inProcessBus } from '#messaging';
import { createLogger } from '#platform';
import { waitUntil } from '#testing';
import { MQTT_LIMITS } from '../../src/link/mqtt/mqtt-limits.ts';
import type { Budget } from '../../src/link/mqtt/inbound-messages.ts';
import type { MqttServices } from '../../src/link/mqtt/mqtt-services.ts';
import type { TopicHandler } from '../../src/link/mqtt/topic-handler.ts';
import { RawMqtt } from './raw-mqtt.ts';
import { startEndpoint, type StartedEndpoint } from './started-endpoint.ts';

const BUSY = { retryAfterMs: 20 };

/** A handler whose calls end when a test says so. */
class Gate {
  readonly calls: { text: string; release: () => void; fail: (error: CodedError) => void }[] = [];
  readonly handler: TopicHandler = (_link, { payload }) =>
    new Promise((resolve, reject) => {
      this.calls.push({
        text: payload.toString(),
        release: () => {
          resolve();
        },
        fail: reject,
      });
    });

  get texts(): string[] {
    return this.calls.map(({ text }) => text);
  }
}

describe('sessions of MQTT', () => {
  const started: StartedEndpoint[] = [];
  const bus = inProcessBus(createLogger('bus', 'silent'));

  afterEach(async () => {
    for (const endpoint of started.splice(0)) await endpoint.stop();
  });

  async function start(handlers: MqttServices['handlers'], more: Partial<MqttServices> = {}) {
    const endpoint = await startEndpoint(bus, handlers, more);
    started.push(endpoint);
    return endpoint;
  }

  const acknowledged = async (client: RawMqtt, count: number): Promise<number[]> => {
    const ids: number[] = [];
    while (ids.length < count) ids.push((await client.next('puback')).messageId ?? 0);
    return ids;
  };

  test('end on one replica when the device connects to another', async () => {
    const [one, two] = [await start({}), await start({})];
    const older = await one.connect(5, 'mover');
    const newer = await two.connect(5, 'mover');
    expect(await older.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await older.closed();
    await newer.settled();
    expect([one.clients.size, two.clients.size]).toEqual([0, 1]);
  });

  test.each(['BUSY', 'UNAVAILABLE', 'RATE_LIMITED'] as const)(
    'hold an acknowledgement back while it is %s',
    async (code) => {
      let refusals = 3;
      const handled: string[] = [];
      const { connect } = await start({
        readings: (_link, { payload }) => {
          if (payload.toString() === '1' && refusals > 0) {
            refusals -= 1;
            return Promise.reject(new CodedError(code, 'not now', BUSY));
          }
          handled.push(payload.toString());
          return Promise.resolve();
        },
      });
      const client = await connect(4, 'patient');
      client.publish('device/me/data', '1', { messageId: 1 });
      client.publish('device/me/data', '0', { qos: 0 });
      client.publish('device/me/data', '2', { messageId: 2 });
      expect(await acknowledged(client, 2)).toEqual([1, 2]);
      expect([...handled].sort()).toEqual(['0', '1', '2']);
      expect(refusals).toBe(0);
    },
  );

  test('wait with what a device sends above its rate, and lose nothing of it', async () => {
    let credit = 2;
    const { connect } = await start(
      { readings: () => Promise.resolve() },
      {
        count: () => {
          credit -= 1;
          if (credit < 0) {
            credit = 2;
            throw new CodedError('RATE_LIMITED', 'too many', BUSY);
          }
        },
      },
    );
    const client = await connect(4, 'eager');
    for (let messageId = 1; messageId <= 9; messageId += 1) client.publish('device/me/data', '1', { messageId });
    expect(await acknowledged(client, 9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('work on readings beside each other, and on everything else one after another', async () => {
    const gate = new Gate();
    const { connect } = await start({ readings: gate.handler, attributes: gate.handler });
    const client = await connect(5, 'orderly');
    client.publish('device/me/data', 'r1', { messageId: 1 });
    client.publish('device/me/data', 'r2', { messageId: 2 });
    client.publish('v2/a', 'a1', { messageId: 3 });
    client.publish('v2/a', 'a2', { messageId: 4 });
    client.publish('device/me/data', 'r3', { messageId: 5 });
    await waitUntil(() => gate.calls.length === 2, { what: 'both readings are worked on' });
    await client.settled();
    expect(gate.texts).toEqual(['r1', 'r2']);
    gate.calls[1]?.release();
    await client.settled();
    expect(client.packets).toEqual([]);
    gate.calls[0]?.release();
    expect(await acknowledged(client, 2)).toEqual([1, 2]);
    for (const [index, text] of ['a1', 'a2', 'r3'].entries()) {
      await waitUntil(() => gate.calls.length === 3 + index, { what: `${text} is worked on` });
      await client.settled();
      expect(gate.texts.at(-1)).toBe(text);
      gate.calls[2 + index]?.release();
    }
    expect(await acknowledged(client, 3)).toEqual([3, 4, 5]);
  });

  test('read no more of a client whose messages nobody takes, and go on with others', async () => {
    const gate = new Gate();
    const endpoint = await start({ readings: gate.handler, ping: () => Promise.resolve() });
    const flood = await endpoint.connect(4, 'flood');
    const payload = Buffer.alloc(1_000, 'x');
    for (let messageId = 1; messageId <= 20_000; messageId += 1)
      flood.publish('device/me/data', payload, { messageId });
    await waitUntil(() => gate.calls.length > 0 && flood.stream.writableLength > 0, { what: 'the flood is held back' });
    const other = await endpoint.connect(5, 'other');
    for (let round = 0; round < 5; round += 1) await other.settled();
    const most = (MQTT_LIMITS.unacknowledgedBytes + 2 * 65_536) / payload.length;
    expect(gate.calls.length).toBeLessThan(most);
    let released = 0;
    while (released < 20_000) {
      await waitUntil(() => gate.calls.length > released, { what: 'reading goes on' });
      for (; released < gate.calls.length; released += 1) gate.calls[released]?.release();
    }
    await waitUntil(() => flood.packets.length === 20_000, { what: 'everything is acknowledged' });
  });

  test('may have less unacknowledged each while all of them have too much', async () => {
    const gate = new Gate();
    const budget: Budget = { bytes: MQTT_LIMITS.allUnacknowledgedBytes };
    const endpoint = await start({ readings: gate.handler }, { budget });
    const flood = await endpoint.connect(4, 'flood');
    for (let messageId = 1; messageId <= 20_000; messageId += 1)
      flood.publish('device/me/data', Buffer.alloc(1_000, 'x'), { messageId });
    await waitUntil(() => gate.calls.length > 0 && flood.stream.writableLength > 0, { what: 'the flood is held back' });
    const other = await endpoint.connect(5, 'other');
    for (let round = 0; round < 5; round += 1) await other.settled();
    expect(gate.calls.length).toBeLessThan((MQTT_LIMITS.fairBytes + 2 * 65_536) / 1_000);
    flood.end();
    await waitUntil(
      () => {
        for (const { release } of gate.calls) release();
        return endpoint.clients.size === 1 && budget.bytes === MQTT_LIMITS.allUnacknowledgedBytes;
      },
      { what: 'what it had is given back' },
    );
  });

  test('refuse a filter while nobody can tell whether it is allowed', async () => {
    const unavailable = new CodedError('UNAVAILABLE', 'the registry is away');
    const endpoint = await start({}, { isPair: () => Promise.reject(unavailable) });
    const subscriptions = [{ topic: 'device/01a1fefc-0b92-7000-bc20-fac11dbaf6a6/master', qos: 0 as const }];
    const newer = await endpoint.connect(5, 'newer');
    newer.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    expect(await newer.next('suback')).toMatchObject({ granted: [0x83] });
    const older = await endpoint.connect(4, 'older');
    older.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    expect(await older.next('suback')).toMatchObject({ granted: [0x80] });
  });

  test('go on with a device as the registry has changed it', async () => {
    const names: string[] = [];
    const endpoint = await start({
      readings: ({ principal }) => {
        names.push(principal.device.name);
        return Promise.resolve();
      },
    });
    const client = await endpoint.connect(5, 'old name');
    const link = [...endpoint.links.all()][0];
    if (!link) throw new Error('no link');
    for (const { session } of endpoint.clients) session?.role.changed({ ...link.device, name: 'new name' });
    client.publish('device/me/data', '1');
    await client.next('puback');
    expect([...names, link.device.name]).toEqual(['new name', 'new name']);
  });

  test('cut off a client that does not read, and no other', async () => {
    const big = Buffer.alloc(262_144, 'x');
    const endpoint = await start({
      ping: (link) => {
        for (let time = 0; time < 64; time += 1) link.send('device/me/ping', big).catch(() => undefined);
        return Promise.resolve();
      },
    });
    const other = await endpoint.connect(5, 'other');
    const deaf = await endpoint.connect(4, 'deaf');
    deaf.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'device/me/ping', qos: 0 }] });
    await deaf.next('suback');
    deaf.stream.pause();
    deaf.publish('device/me/ping', 'x', { qos: 0 });
    await waitUntil(() => endpoint.clients.size === 1, { what: 'the client is cut off' });
    await other.settled();
  });

  test('end for who never says who they are', async () => {
    let now = Date.now();
    const endpoint = await start({}, { now: () => now });
    const other = await endpoint.connect(5, 'other', { keepalive: 0 });
    const silent = await RawMqtt.open(endpoint.port);
    const half = await RawMqtt.open(endpoint.port);
    half.write([0x10, 200, 1, 0, 4, 0x4d]);
    await waitUntil(() => endpoint.clients.size === 3, { what: 'all are there' });
    now += MQTT_LIMITS.connectMs + 1;
    for (const client of endpoint.clients) client.check(now);
    await silent.closed();
    await half.closed();
    await other.settled();
  });

  test('say what a client did wrong with its device, and count it', async () => {
    const endpoint = await start({});
    const client = await endpoint.connect(5, 'wrong');
    client.publish('nowhere', 'x');
    await client.next('puback');
    client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '#', qos: 0 }] });
    await client.next('suback');
    expect(endpoint.notes).toEqual([
      {
        deviceId: endpoint.idOf('wrong'),
        note: { kind: 'refused', topic: 'nowhere', reason: expect.stringContaining('TOPIC_NOT_ALLOWED') },
      },
      {
        deviceId: endpoint.idOf('wrong'),
        note: { kind: 'refused', topic: '#', reason: expect.stringContaining('TOPIC_NOT_ALLOWED') },
      },
    ]);
    expect(await endpoint.metrics.metrics()).toContain('fieldline_mqtt_publishes_total{outcome="refused"} 1');
  });

  test('tell the house when a device takes commands, and when it no longer does', async () => {
    const endpoint = await start({});
    const client = await endpoint.connect(5, 'listener');
    const id = endpoint.idOf('listener');
    const filters = ['v1/devices/me/rpc/request/+', 'v2/r/req/+'];
    expect(endpoint.links.of(id, 'commands')).toBeUndefined();
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) });
    await client.next('suback');
    await client.settled();
    expect(endpoint.links.of(id, 'commands')).toBeDefined();
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['v2/r/req/+'] });
    await client.settled();
    expect(endpoint.links.of(id, 'commands')).toBeDefined();
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['v1/devices/me/rpc/request/+'] });
    await client.settled();
    expect(endpoint.links.of(id, 'commands')).toBeUndefined();
  });
});
