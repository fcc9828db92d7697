import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { inProcessBus } from '#messaging';
import { createLogger } from '#platform';
import { waitUntil } from '#testing';
import { answerPing } from '../../src/link/mqtt/own-topics.ts';
import { RawMqtt, type Version } from './raw-mqtt.ts';
import { startEndpoint, type StartedEndpoint } from './started-endpoint.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const RUNS = 300;
const MOST_GROWTH_BYTES = 33_554_432;

const version = fc.constantFrom<Version>(3, 4, 5);
const topic = fc.oneof(
  fc.constantFrom(
    'device/me/data',
    '/device/me/ping',
    'v1/devices/me/telemetry',
    'v2/a',
    '$SYS/x',
    'a/+/b',
    '#',
    '',
    '/',
  ),
  fc.string({ maxLength: 40, unit: 'binary' }),
);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    '{"c":"PING"}',
    '{}',
    '[]',
    'null',
    '[{"sensor":"a","value":1}]',
    '['.repeat(5_000),
    '{"a":'.repeat(2_000),
  ),
);
const qos = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
const messageId = fc.integer({ min: 1, max: 20 });

const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({
    cmd: fc.constant('publish' as const),
    topic,
    payload,
    qos,
    messageId,
    dup: fc.constant(false),
    retain: fc.boolean(),
  }),
  fc.record({
    cmd: fc.constant('subscribe' as const),
    messageId,
    subscriptions: fc.array(fc.record({ topic, qos }), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    cmd: fc.constant('unsubscribe' as const),
    messageId,
    unsubscriptions: fc.array(topic, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    cmd: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
    messageId,
    reasonCode: fc.constant(0),
  }),
  fc.record({ cmd: fc.constant('pingreq' as const) }),
  fc.record({ cmd: fc.constant('disconnect' as const), reasonCode: fc.constant(0) }),
  fc.record({
    cmd: fc.constant('connect' as const),
    protocolId: fc.constant('MQTT' as const),
    protocolVersion: fc.constant(4 as const),
    clientId: fc.string({ minLength: 1, maxLength: 30 }),
    keepalive: fc.nat(0xffff),
    clean: fc.constant(true),
  }),
);

/** The bytes of a packet, whole, cut off or with some of them changed. */
const mutated = (of: Version): fc.Arbitrary<Buffer> =>
  fc
    .tuple(packet, fc.option(fc.nat(400)), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }))
    .map(([each, cut, changes]) => {
      const bytes = bytesOf(each, of);
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      return cut === null ? bytes : bytes.subarray(0, cut);
    });

/** What the codec does not write is left out: it is random bytes that stand for it. */
function bytesOf(given: Packet, of: Version): Buffer {
  try {
    return Buffer.from(generate(given, { protocolVersion: of }));
  } catch {
    return Buffer.from([0x30, 0]);
  }
}

const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const header = fc
  .tuple(fc.nat(255), fc.uint8Array({ minLength: 1, maxLength: 5 }))
  .map(([first, rest]) => Buffer.from([first, ...rest]));
const stream = version.chain((of) =>
  fc.record({
    of: fc.constant(of),
    connects: fc.boolean(),
    chunks: fc.array(fc.oneof(mutated(of), mutated(of), noise, header), { maxLength: 8 }),
    ends: fc.boolean(),
  }),
);

/** Whatever comes in, the others go on, nobody is left behind, and memory stays flat. */
describe('whatever a client sends', () => {
  let endpoint: StartedEndpoint;
  let bystander: RawMqtt;

  beforeAll(async () => {
    endpoint = await startEndpoint(inProcessBus(createLogger('bus', 'silent')), {
      readings: () => Promise.resolve(),
      telemetry: () => Promise.resolve(),
      attributes: () => Promise.resolve(),
      ping: answerPing,
    });
    bystander = await endpoint.connect(5, 'bystander');
  });
  afterAll(async () => {
    await endpoint.stop();
  });

  let clients = 0;

  async function send({
    of,
    connects,
    chunks,
    ends,
  }: {
    of: Version;
    connects: boolean;
    chunks: Buffer[];
    ends: boolean;
  }) {
    clients += 1;
    const client = await RawMqtt.open(endpoint.port, of, { reads: false });
    client.stream.resume();
    if (connects) client.connect({ username: `fuzz ${String(clients % 10)}` });
    for (const chunk of chunks) client.write(chunk);
    if (ends) client.stream.end();
    await bystander.settled();
    client.end();
    await client.closed();
  }

  test('the others go on', async () => {
    await fc.assert(fc.asyncProperty(stream, send), { numRuns: RUNS / 3 });
    collectGarbage();
    const before = process.memoryUsage();
    await fc.assert(fc.asyncProperty(stream, send), { numRuns: RUNS });
    await waitUntil(() => endpoint.clients.size === 1, { what: 'nobody is left behind' });
    collectGarbage();
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(MOST_GROWTH_BYTES);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(MOST_GROWTH_BYTES);
    expect(endpoint.links.count).toBe(1);
    await bystander.settled();
    expect(bystander.packets).toEqual([]);
  }, 120_000);

  test('byte by byte, a packet is what it is at once', async () => {
    const client = await endpoint.connect(5, 'slow');
    for (const byte of bytesOf(
      { cmd: 'publish', topic: 'device/me/data', payload: '1', qos: 1, messageId: 5, dup: false, retain: false },
      5,
    )) {
      client.write([byte]);
      await bystander.settled();
    }
    expect(await client.next('puback')).toMatchObject({ messageId: 5 });
    client.end();
  });
});
