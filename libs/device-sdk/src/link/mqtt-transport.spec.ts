import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fake-clock.ts';
import { FakeMqttPlatform } from '../../test/fake-mqtt-platform.ts';
import { receipt } from '../../test/platform.ts';
import { until } from '../../test/until.ts';
import { type DeviceOptions, FieldlineDevice } from '../device.ts';
import { mqttUrlOf } from './mqtt-transport.ts';

describe('a link by MQTT', () => {
  let platform: FakeMqttPlatform;
  let clock: FakeClock;
  let device: FieldlineDevice;

  const create = (options: Partial<DeviceOptions> = {}) => {
    device = new FieldlineDevice({ ...platform.options, token: 'good', clock, random: () => 0.5, ...options });
    return device;
  };
  const connect = async () => {
    await device.connect();
    await until('it is connected', () => platform.links === 1);
  };
  const temperatures = (count: number) => Array.from({ length: count }, (_, value) => ({ sensor: 't', value }));
  const flush = async () => {
    let settled = false;
    void device.flush().then(() => (settled = true));
    await until('everything is settled', () => settled, clock);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    platform = await new FakeMqttPlatform().start();
  });

  afterEach(async () => {
    await device.close();
    await platform.stop();
  });

  it('is sought at the host of the platform, unless it is said where', () => {
    create();
    expect(['http://iot.example.com:8080', 'https://iot.example.com/x', 'http://[::1]:80'].map(mqttUrlOf)).toEqual([
      'mqtt://iot.example.com:1883',
      'mqtts://iot.example.com:8883',
      'mqtt://[::1]:1883',
    ]);
  });

  it.each(['iot.example.com', 'http://iot.example.com'])('is not sought at %s', (mqttUrl) => {
    create();
    expect(() => new FieldlineDevice({ url: 'http://a', token: 't', transport: 'mqtt', mqttUrl })).toThrow(
      /mqttUrl must be/,
    );
  });

  it('keeps its client id from one link to the next', async () => {
    create();
    await connect();
    platform.cut();
    await until('it is back', () => platform.clientIds.length === 2 && platform.links === 1, clock);
    expect(platform.clientIds[0]).toMatch(/^fieldline-[0-9a-f]{16}$/);
    expect(new Set(platform.clientIds).size).toBe(1);
  });

  it('is not fought for: it comes back no sooner than half a minute after another took its place', async () => {
    create();
    const told: string[] = [];
    const waits: number[] = [];
    device.on('disconnected', (reason) => told.push(reason));
    device.on('connect-failed', ({ message, retryInMs }) => {
      told.push(message);
      waits.push(retryInMs);
    });
    await connect();
    platform.dismiss(0x8e);
    await until('it knows', () => waits.length === 1);
    const reason = 'TAKEN_OVER: Another connection with the credentials of this device took its place.';
    expect(told).toEqual([reason, reason]);
    expect(waits[0]).toBeGreaterThanOrEqual(30_000);
    clock.advance(29_999);
    expect(platform.clientIds).toHaveLength(1);
    await until('it is back', () => platform.links === 1, clock, 1_000);
  });

  it('that the platform ends for its credentials comes back with others', async () => {
    create({ token: undefined, getToken: async (refused) => (refused ? 'second' : 'first') });
    await connect();
    platform.dismiss(0x98);
    await until('it is back', () => platform.tokens.length === 2, clock);
    expect(platform.tokens).toEqual(['first', 'second']);
  });

  it('that the platform ends for its credentials, and there are no others, is told with the reason', async () => {
    create();
    const errors: unknown[] = [];
    device.on('auth-error', (trouble) => errors.push(trouble));
    await connect();
    platform.dismiss(0x87, 'The token has expired.');
    await until('it is told', () => errors.length === 1);
    expect(errors).toEqual([{ code: 'UNAUTHENTICATED', message: 'The token has expired.' }]);
  });

  it('comes back after a platform that shuts down', async () => {
    create();
    const reasons: string[] = [];
    device.on('disconnected', (reason) => reasons.push(reason));
    await connect();
    platform.dismiss(0x8b);
    await until('it is back', () => platform.clientIds.length === 2 && platform.links === 1, clock);
    expect(reasons).toEqual(['SHUTTING_DOWN: The platform shuts down.']);
  });

  it('has no batch published a second time over it that is still without an acknowledgement', async () => {
    platform.behave = (arrival) => (platform.clientIds.length > 1 ? receipt(arrival) : undefined);
    create({ ackTimeoutMs: 1_000 });
    await connect();
    await device.send(temperatures(3));
    await flush();
    expect(platform.arrivals.map(({ batchId }) => batchId)).toEqual(Array(2).fill(platform.arrivals[0]?.batchId));
    expect(platform.clientIds).toHaveLength(2);
    expect(device.stats).toMatchObject({ acknowledged: 3, resent: 3 });
  });

  it('takes a batch that was rejected altogether for rejected, reading by reading', async () => {
    platform.behave = (arrival) => receipt(arrival, [0, 1, 2]);
    create();
    const rejected: unknown[] = [];
    device.on('rejected', ({ reading, code }) => rejected.push([reading.value, code]));
    await device.send(temperatures(3));
    await connect();
    await flush();
    expect(rejected).toEqual([
      [0, 'BAD_VALUE'],
      [1, 'BAD_VALUE'],
      [2, 'BAD_VALUE'],
    ]);
    expect(platform.arrivals).toHaveLength(1);
  });

  it('carries no larger packets than the platform takes', async () => {
    platform.connack = { maximumPacketSize: 2_000 };
    create({ batch: { maxReadings: 1_000 } });
    await device.send(temperatures(300));
    await device.connect();
    await flush();
    expect(platform.largest).toBeLessThan(2_000);
    expect(device.stats).toMatchObject({ acknowledged: 300, rejected: 0 });
  });

  it('carries no more than the platform takes without having acknowledged it', async () => {
    platform.connack = { receiveMaximum: 2 };
    platform.behave = () => undefined;
    const heard: unknown[] = [];
    create({ batch: { maxReadings: 1 }, inFlight: 8 }).onAttributes((change) => heard.push(change));
    await connect();
    await until('it listens', () => platform.listensToAttributes && platform.published.length === 1);
    await device.send(temperatures(10));
    void device.reportAttributes({ a: 1 }).catch(() => undefined);
    await until('the window is full', () => platform.arrivals.length + platform.reported.length >= 2);
    platform.share({ b: 2 });
    await until('it has heard', () => heard.length === 1);
    expect(platform.mostUnacknowledged).toBe(2);
  });

  it('rejects a single reading that no packet can take', async () => {
    platform.connack = { maximumPacketSize: 1_000 };
    create();
    const rejected: unknown[] = [];
    device.on('rejected', ({ code, message }) => rejected.push([code, message]));
    await device.send([{ sensor: 's', value: 'x'.repeat(2_000) }, ...temperatures(2)]);
    await connect();
    await flush();
    expect(rejected).toEqual([['BATCH_TOO_LARGE', 'The packet is larger than the platform takes.']]);
    expect(device.stats).toMatchObject({ acknowledged: 2, rejected: 1 });
  });

  it('outlasts messages that say nothing', async () => {
    const changes: unknown[] = [];
    const errors: unknown[] = [];
    create()
      .onCommand(undefined, () => 'done')
      .onAttributes((change) => changes.push(change));
    device.on('disconnected', (reason) => errors.push(reason));
    await connect();
    await until('it listens', () => platform.takesCommands);
    for (const payload of ['', 'no JSON', '[]', '7', '{"method":7}', '{"params":1}']) {
      platform.sendRaw('v1/devices/me/rpc/request/1', payload);
      platform.sendRaw('v1/devices/me/attributes/response/99', payload);
    }
    for (const payload of ['', 'no JSON', '[]', '7']) platform.sendRaw('v1/devices/me/attributes', payload);
    platform.sendRaw('v1/devices/me/rpc/request/x', '{"method":"m"}');
    platform.sendRaw('something/else', '{}');
    platform.sendCommand({ id: '2', number: 2, method: 'm', params: null });
    await until('the one that says something is answered', () => platform.answers.length > 0);
    expect(platform.answers).toEqual([{ number: 2, outcome: { ok: true, result: 'done' } }]);
    expect([changes, errors]).toEqual([[], []]);
  });

  it.each(['HTTP/1.1 400 Bad Request\r\n\r\n', '\u0020\u0002\u0000\u0005', '\u00f0\u0000'])(
    'is sought anew at a server that answers %j',
    async (answer) => {
      const server = createServer((socket) =>
        socket
          .on('error', () => undefined)
          .resume()
          .end(Buffer.from(answer, 'latin1')),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      create({ mqttUrl: `mqtt://127.0.0.1:${port}` });
      const failures: unknown[] = [];
      device.on('connect-failed', ({ message }) => failures.push(message));
      device.on('auth-error', ({ message }) => failures.push(message));
      await device.connect();
      await until('it tried several times', () => failures.length > 2, clock, 1_000);
      await device.close();
      await new Promise((resolve) => server.close(resolve));
    },
  );

  it('says what is wrong with a server that nobody is at', async () => {
    const port = platform.port;
    await platform.stop();
    create();
    const failures: string[] = [];
    device.on('connect-failed', ({ message }) => failures.push(message));
    await device.connect();
    await until('it is told', () => failures.length > 0);
    expect(failures[0]).toContain(`No connection to mqtt://127.0.0.1:${port}: `);
    platform = await new FakeMqttPlatform(port).start();
  });

  it('shows no password in what it tells', async () => {
    const port = platform.port;
    await platform.stop();
    create({ mqttUrl: `mqtt://someone:secret@127.0.0.1:${port}` });
    const failures: string[] = [];
    device.on('connect-failed', ({ message }) => failures.push(message));
    await device.connect();
    await until('it is told', () => failures.length > 0);
    expect(failures[0]).not.toContain('secret');
    platform = await new FakeMqttPlatform(port).start();
  });
});
