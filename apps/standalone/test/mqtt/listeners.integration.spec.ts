import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { promisify } from 'node:util';
import { HttpAdapterHost } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createLogger } from '#platform';
import { tempDir, waitUntil, type TempDir } from '#testing';
import { MqttEndpoint } from '../../../telemetry/src/link/mqtt/mqtt.endpoint.ts';
import { MqttListeners } from '../../../telemetry/src/link/mqtt/mqtt.listeners.ts';
import { startHouse, type StartedHouse } from '../started-house.ts';
import { RawMqtt } from '../../../telemetry/test/mqtt/raw-mqtt.ts';

const run = promisify(execFile);

interface Pem {
  cert: Buffer;
  key: Buffer;
}

/** A certificate that signs itself, or that an authority signs. */
async function certificate(folder: string, name: string, by?: string): Promise<Pem> {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const signed = by === undefined ? [] : ['-CA', join(folder, `${by}.pem`), '-CAkey', join(folder, `${by}.key`)];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await run('openssl', ['req', '-x509', ...made, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert, ...signed]);
  return { cert: await readFile(cert), key: await readFile(key) };
}

const IDENTITY = { username: 'a token' };

describe('the listeners of MQTT', () => {
  let files: TempDir;
  let device: Pem;
  let stranger: Pem;
  const houses: StartedHouse[] = [];
  const open: RawMqtt[] = [];

  beforeAll(async () => {
    files = await tempDir();
    await certificate(files.path, 'server');
    await certificate(files.path, 'authority');
    device = await certificate(files.path, 'device', 'authority');
    stranger = await certificate(files.path, 'stranger');
  });
  afterEach(async () => {
    for (const client of open.splice(0)) client.end();
    for (const house of houses.splice(0)) await house.stop();
  });
  afterAll(async () => {
    await files.remove();
  });

  async function start(env: Record<string, string> = {}): Promise<StartedHouse> {
    const house = await startHouse(env);
    houses.push(house);
    return house;
  }

  const withTls = async (more: Record<string, string> = {}): Promise<{ house: StartedHouse; port: number }> => {
    const house = await start({
      MQTT_TLS_PORT: '0',
      MQTT_TLS_CERT: join(files.path, 'server.pem'),
      MQTT_TLS_KEY: join(files.path, 'server.key'),
      ...more,
    });
    return { house, port: house.app.get(MqttListeners).tlsPort ?? 0 };
  };

  async function secure(port: number, more: ConnectionOptions = {}): Promise<RawMqtt> {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...more });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
    return kept(new RawMqtt(socket, 5));
  }

  function kept(client: RawMqtt): RawMqtt {
    open.push(client);
    return client;
  }

  async function deviceWith(house: StartedHouse, { cert }: Pem): Promise<string> {
    const { id } = await house.newDevice();
    await house.asAdmin(`POST /api/devices/${id}/credentials`, { kind: 'certificate', certificate: cert.toString() });
    return id;
  }

  test('let a device in over TLS by a token, or by the fingerprint of its certificate', async () => {
    const { house, port } = await withTls();
    const { token } = await house.newDevice();
    const byToken = await secure(port);
    byToken.connect({ username: token });
    expect(await byToken.next('connack')).toMatchObject({ reasonCode: 0 });

    const id = await deviceWith(house, stranger);
    const byCertificate = await secure(port, stranger);
    byCertificate.connect({});
    expect(await byCertificate.next('connack')).toMatchObject({ reasonCode: 0 });
    byCertificate.publish(`device/${id}/data`, { sensor: 'a', value: 1 });
    expect(await byCertificate.next('puback')).toMatchObject({ reasonCode: 0 });
    expect(new X509Certificate(stranger.cert).fingerprint256).toMatch(/^[0-9A-F:]+$/);

    const unknown = await secure(port, device);
    unknown.connect({ username: token });
    expect(await unknown.next('connack')).toMatchObject({ reasonCode: 0x87 });
    await unknown.closed();
  });

  test('take only certificates of their authority, where there is one', async () => {
    const { house, port } = await withTls({ MQTT_TLS_CLIENT_CA: join(files.path, 'authority.pem') });
    await deviceWith(house, device);
    await deviceWith(house, stranger);
    const known = await secure(port, device);
    known.connect({});
    expect(await known.next('connack')).toMatchObject({ reasonCode: 0 });
    const other = await secure(port, stranger);
    other.connect({});
    expect(await other.next('connack')).toMatchObject({ reasonCode: 0x87 });
  });

  test('know where a device calls from behind a gateway, plain and over TLS', async () => {
    const { house, port } = await withTls({ MQTT_PROXY_PROTOCOL: 'on' });
    const { id, token } = await house.newDevice();
    const addressOf = async (address: string): Promise<void> => {
      await waitUntil(async () => (await house.asAdmin(`GET /api/devices/${id}/connection`))['address'] === address, {
        what: `the address is ${address}`,
      });
    };
    const plain = kept(await RawMqtt.open(house.mqttPort, 5));
    plain.write(Buffer.from('PROXY TCP4 198.51.100.7 203.0.113.1 5000 18'));
    plain.write(Buffer.from('83\r\n'));
    plain.connect({ username: token });
    expect(await plain.next('connack')).toMatchObject({ reasonCode: 0 });
    await addressOf('198.51.100.7');

    const socket = connectTcp(port, '127.0.0.1');
    socket.write(Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'));
    socket.write(Buffer.from([0x21, 0x11, 0, 12, 198, 51, 100, 8, 203, 0, 113, 1, 0x13, 0x88, 0x22, 0xb3]));
    const behind = await secure(0, { socket });
    behind.connect({ username: token });
    expect(await behind.next('connack')).toMatchObject({ reasonCode: 0 });
    await addressOf('198.51.100.8');
  });

  test('close what does not come from the gateway', async () => {
    const house = await start({ MQTT_PROXY_PROTOCOL: 'on' });
    const client = kept(await RawMqtt.open(house.mqttPort, 4));
    client.connect(IDENTITY);
    await client.closed();
    expect(client.packets).toEqual([]);
  });

  test('are not there when they are off', async () => {
    const house = await start({ MQTT_PORT: 'off' });
    expect(house.app.get(MqttListeners).port).toBeUndefined();
  });

  test('say in one line which port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(startHouse({ MQTT_PORT: String(port) })).rejects.toThrow(`MQTT_PORT: port ${String(port)} is taken`);
    taken.close();
  });

  test('are off, and say so, where somebody else has the port that nobody asked for', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const house = await start();
    const { httpAdapter } = house.app.get(HttpAdapterHost);
    const listeners = new MqttListeners(
      house.app.get(MqttEndpoint),
      {
        host: '127.0.0.1',
        port,
        portIsOptional: true,
        tlsPort: 0,
        tls: { certificate: undefined, key: undefined, clientAuthority: undefined },
        proxyProtocol: false,
        trustedProxies: 0,
      },
      { httpAdapter } as HttpAdapterHost,
      createLogger('mqtt', 'silent'),
    );
    await listeners.onApplicationBootstrap();
    expect(listeners.port).toBeUndefined();
    expect(listeners.problem).toBe(`port ${String(port)} is taken`);
    taken.close();
  });

  test.each([
    [{ MQTT_TLS_CERT: 'server.pem' }, 'MQTT_TLS_KEY: is needed'],
    [{ MQTT_TLS_KEY: 'server.key' }, 'MQTT_TLS_CERT: is needed'],
    [{ MQTT_TLS_CERT: 'nothing.pem', MQTT_TLS_KEY: 'server.key' }, 'MQTT_TLS_CERT: '],
    [{ MQTT_TLS_CERT: 'server.pem', MQTT_TLS_KEY: 'stranger.key' }, 'cannot be used together'],
  ])('say in one line what is wrong with %j', async (names, line) => {
    const paths = Object.entries(names).map(([name, file]) => [name, join(files.path, file)]);
    await expect(startHouse(Object.fromEntries(paths) as Record<string, string>)).rejects.toThrow(line);
  });

  test('tell devices of version 5 when they go, and leave no will of theirs', async () => {
    const house = await startHouse();
    const { token } = await house.newDevice();
    const will = { topic: 'device/me/will', payload: Buffer.from('gone'), qos: 0 as const };
    const { client } = await RawMqtt.connected(house.mqttPort, 5, { username: token, will });
    const stopped = house.stop();
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x8b });
    await client.closed();
    await stopped;
  });
});
