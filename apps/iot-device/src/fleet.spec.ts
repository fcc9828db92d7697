import { type Server as HttpServer, createServer } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReadingInput } from '#contracts';
import { Server } from 'socket.io';
import { FakeMqttPlatform } from '../../../libs/device-sdk/test/fake-mqtt-platform.ts';
import { type Fleet, type FleetAccess, type FleetOptions, startFleet } from './fleet.ts';
import { fileNameOf, macOf, ownDevices } from './ways.ts';

describe('a fleet of simulated devices', () => {
  let http: HttpServer;
  let io: Server;
  let url: string;
  let provisioned: string[];
  let received: { token: string; reading: ReadingInput }[];
  let admitted: (token: string) => boolean;
  let provisioning: { status: number; answer: (mac: string) => object };
  let fleets: Fleet[];

  const start = async (options: Partial<FleetOptions> & Pick<FleetOptions, 'access'>) => {
    const fleet = await startFleet({ url, devices: 1, sensors: ['temperature', 'humidity'], rate: 50, ...options });
    fleets.push(fleet);
    return fleet;
  };
  const debug = (macPrefix: string, devices: number): FleetAccess =>
    ownDevices({ way: 'debug', macPrefix }, { url, devices });
  const until = async (what: string, condition: () => boolean) => {
    for (const deadline = Date.now() + 20_000; !condition(); await sleep(5)) {
      if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}.`);
    }
  };
  const tokensSeen = () => new Set(received.map(({ token }) => token));
  const sensorsSeen = () => [...new Set(received.map(({ reading }) => reading.sensor))].sort();

  beforeEach(async () => {
    provisioned = [];
    received = [];
    fleets = [];
    admitted = () => true;
    provisioning = { status: 200, answer: (mac) => ({ 'access-token': `token of ${mac}` }) };
    http = createServer((request, response) => {
      const mac = new URL(request.url ?? '', 'http://x').searchParams.get('mac-address');
      if (mac === null) return;
      provisioned.push(mac);
      response
        .writeHead(provisioning.status, { 'content-type': 'application/json' })
        .end(JSON.stringify(provisioning.answer(mac)));
    });
    io = new Server(http);
    const namespace = io.of('/telemetry');
    namespace.use((socket, next) => {
      const refusal = { data: { code: 'UNAUTHENTICATED', message: 'Nobody has this token.' } };
      next(admitted(String(socket.handshake.auth['token'])) ? undefined : Object.assign(new Error('refused'), refusal));
    });
    namespace.on('connection', (socket) => {
      const token = String(socket.handshake.auth['token']);
      socket.on(
        'readings',
        (readings: ReadingInput[], { batchId }: { batchId: string }, ack: (answer: object) => void) => {
          received.push(...readings.map((reading) => ({ token, reading })));
          ack({ ok: true, batchId, accepted: readings.length, rejected: [] });
        },
      );
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const address = http.address();
    url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  });

  afterEach(async () => {
    await Promise.all(fleets.map((fleet) => fleet.stop({ flushMs: 0 })));
    await io.close();
  });

  it('gives every device a token of its own by debug provisioning', async () => {
    const fleet = await start({ devices: 25, access: debug('02:F1', 25) });
    await until('all have sent', () => tokensSeen().size === 25);
    expect(new Set(provisioned).size).toBe(25);
    expect(tokensSeen()).toContain('token of 02:F1:00:00:00:19');
    expect(fleet.connections).toEqual({ up: 25, of: 25 });
    expect(sensorsSeen()).toEqual(['humidity', 'temperature']);
  });

  it('sends for all devices through one gateway when there is one token', async () => {
    const fleet = await start({ devices: 12, access: { kind: 'tokens', tokens: ['g'] } });
    await until('all have sent', () => sensorsSeen().length === 24);
    expect(fleet.connections.of).toBe(1);
    expect(sensorsSeen()).toContain('temperature-07');
  });

  it('gives each device its token when there are several', async () => {
    await start({ devices: 2, access: { kind: 'tokens', tokens: ['a', 'b'] } });
    await until('both have sent', () => tokensSeen().size === 2);
    expect(sensorsSeen()).toEqual(['humidity', 'temperature']);
  });

  it('has a receipt for everything it took when it is stopped, and takes no more', async () => {
    const fleet = await start({ devices: 3, access: debug('02', 3) });
    await until('it works', () => received.length > 20);
    const stats = await fleet.stop();
    expect(stats).toMatchObject({
      queued: 0,
      resent: 0,
      rejected: 0,
      dropped: 0,
      sent: received.length,
      acknowledged: received.length,
    });
    const identities = received.map(({ token, reading }) => `${token} ${reading.sensor} ${String(reading.ts)}`);
    expect(new Set(identities).size).toBe(received.length);
  });

  it('sends over MQTT when it is told to', async () => {
    const platform = await new FakeMqttPlatform().start();
    const access: FleetAccess = { kind: 'tokens', tokens: ['a', 'b'] };
    const fleet = await start({ devices: 2, access, ...platform.options });
    await until(
      'both have sent',
      () => new Set(platform.arrivals.map((arrival) => arrival.credentials.token)).size === 2,
    );
    await fleet.stop();
    expect(platform.changed).toEqual([]);
    expect(fleet.stats).toMatchObject({ queued: 0, rejected: 0 });
    await platform.stop();
  });

  it('keeps readings in a folder while the platform does not let it in', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fleet-'));
    admitted = () => false;
    const told: unknown[] = [];
    const fleet = await start({
      access: { kind: 'tokens', tokens: ['bad'] },
      outbox: folder,
      listener: { authError: (device, { code }, everConnected) => told.push([device, code, everConnected]) },
    });
    await until('readings wait', () => fleet.stats.queued > 5);
    const { queued } = await fleet.stop({ flushMs: 0 });
    expect(told[0]).toEqual(['gateway', 'UNAUTHENTICATED', false]);
    admitted = () => true;
    const next = await start({ access: { kind: 'tokens', tokens: ['good'] }, outbox: folder });
    await until('they are sent', () => received.length >= queued);
    await next.stop();
    expect(await readdir(join(folder, 'gateway'))).toEqual([]);
    await rm(folder, { recursive: true });
  });

  it('takes a platform without debug provisioning for a refusal of its credentials', async () => {
    provisioning = {
      status: 403,
      answer: () => ({ code: 'DEBUG_PROVISIONING_OFF', detail: 'Set DEBUG_PROVISIONING=on.' }),
    };
    const told: unknown[] = [];
    await start({
      access: debug('02', 1),
      listener: { authError: (_, { message }) => told.push(message) },
    });
    await until('it is told', () => told.length > 0);
    expect(told[0]).toBe('Set DEBUG_PROVISIONING=on.');
  });

  it('fills the MAC address up with the number of the device', () => {
    expect([macOf('02:F1:E1', 1), macOf('02', 258), macOf('02:F1:E1:00', 65_535)]).toEqual([
      '02:F1:E1:00:00:01',
      '02:00:00:00:01:02',
      '02:F1:E1:00:FF:FF',
    ]);
  });

  it('keeps what a device learned in a file whose name tells it from others', () => {
    expect(['02:F1:E1:00:00:01', 'pump 1/2', '..', 'a*b', 'gateway'].map(fileNameOf)).toEqual([
      '02F1E1000001',
      'pump%201%2F2',
      '%2E.',
      'a%2Ab',
      'gateway',
    ]);
  });
});
