import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { describeWith, startThingsboardClient, waitUntil, type ThingsboardClient } from '#testing';
import { startHouse, type StartedHouse, type TestDevice } from './started-house.ts';

const CHUNK_BYTES = 4_096;
/** Not a multiple of a chunk, and more than one packet of ThingsBoard's. */
const FIRMWARE = randomBytes(70_000);

/** ThingsBoard's own SDK (tb-mqtt-client), as it is, talks to the whole house. */
describeWith(['thingsboard-clients'], "ThingsBoard's Python SDK", () => {
  let house: StartedHouse;
  const clients: ThingsboardClient[] = [];

  beforeAll(async () => {
    house = await startHouse();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.stop();
  });
  afterAll(async () => {
    await house.stop();
  });

  async function start(name: string, env: Record<string, string>): Promise<ThingsboardClient> {
    const program = fileURLToPath(new URL(`python/${name}.py`, import.meta.url));
    const common = { MQTT_PORT: String(house.mqttPort), URL: house.url, CHUNK_BYTES: String(CHUNK_BYTES) };
    const client = await startThingsboardClient(program, { ...common, ...env });
    clients.push(client);
    return client;
  }

  const command = (device: Pick<TestDevice, 'id'>, method: string, params: unknown, more: object = {}) =>
    house.asAdmin(`POST /api/devices/${device.id}/commands`, { method, params, ...more });

  async function assignFirmware(device: TestDevice, title: string): Promise<void> {
    const uploaded = await fetch(`${house.url}/api/firmware?title=${title}&version=1.0`, {
      method: 'POST',
      headers: { Authorization: house.authorization, 'Content-Type': 'application/octet-stream' },
      body: FIRMWARE,
    });
    expect(uploaded.status).toBe(201);
    const { id, checksum } = (await uploaded.json()) as { id: string; checksum: string };
    expect(checksum).toBe(createHash('sha256').update(FIRMWARE).digest('hex'));
    await house.asAdmin(`PUT /api/devices/${device.id}/firmware`, { package: id });
  }

  /** Somebody claims a device as users of ThingsBoard do. */
  async function claim(name: string, secretKey: string): Promise<unknown> {
    const user = { email: `${randomUUID()}@example.com`, password: 'a good long password' };
    await house.call('POST /user/signup', { name: 'User', ...user });
    const { body } = await house.call('POST /user/login', user);
    const authorization = `Bearer ${String(body['token'])}`;
    const path = `/api/customer/device/${encodeURIComponent(name)}/claim` as const;
    return (await house.call(`POST ${path}`, { secretKey }, { authorization })).body['response'];
  }

  const isUpdated = (device: TestDevice) =>
    waitUntil(
      async () => {
        const [firmware] = (await house.asAdmin(`GET /api/devices/${device.id}/firmware`)) as unknown as {
          state: string;
        }[];
        return firmware?.state === 'updated';
      },
      { what: 'the firmware is updated' },
    );

  test('lets a device send, report, ask, and take commands and attributes', async () => {
    const device = await house.newDevice();
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 30, missed: true } });
    const client = await start('sdk_device', { TOKEN: device.token });

    expect(client.said('limits')).toMatchObject({ payload: expect.any(Number), inflight: expect.any(Number) });
    expect(client.said('telemetry')).toEqual([0, 0, 0]);
    expect(client.said('reported')).toBe(0);
    expect(client.said('attributes')).toEqual({ client: { model: 'x' }, shared: { interval: 30 } });
    expect(client.said('reply')).toEqual({ error: expect.stringContaining('getTime') });
    expect(client.said('claimed')).toBe(0);
    expect(await claim(device.name, 'a secret')).toBe('SUCCESS');
    expect(await house.latest(device.id, 6)).toMatchObject({
      temperature: { value: 21.5 },
      on: { value: true },
      text: { value: 'x' },
      nested: { value: { a: [1, 2] } },
      past: { value: 1 },
      humidity: { value: 41 },
    });
    expect(await house.asAdmin(`GET /api/devices/${device.id}/attributes`)).toMatchObject({
      client: { model: 'x', config: { a: 1 } },
    });

    expect(await command(device, 'setGpio', { pin: 7 })).toMatchObject({
      status: 'succeeded',
      result: { did: 'setGpio', with: { pin: 7 } },
    });
    expect(await command(device, 'fail', null)).toMatchObject({ status: 'failed', error: 'jammed' });
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 31, missed: null } });
    await waitUntil(
      () => isIn(client.said('pushed'), [{ interval: 30, missed: true }, { deleted: ['missed'] }, { interval: 31 }]),
      {
        what: 'the device was told of every change, and of what it had missed',
      },
    );
    expect(await house.asAdmin(`GET /api/devices/${device.id}/connection`)).toMatchObject({
      online: true,
      via: 'mqtt',
      protocol: 'MQTT 5',
    });
  });

  test('loads firmware over MQTT, and again when its check of it fails', async () => {
    const device = await house.newDevice();
    await assignFirmware(device, 'sensor');
    const client = await start('sdk_device', { TOKEN: device.token, FIRMWARE: 'sensor', CHECKS: 'fail' });
    expect(await client.says('firmware')).toEqual({ bytes: FIRMWARE.length, version: '1.0' });
    await isUpdated(device);
  });

  test('loads firmware over MQTT in one message', async () => {
    const device = await house.newDevice();
    await assignFirmware(device, 'whole');
    const client = await start('sdk_device', {
      TOKEN: device.token,
      FIRMWARE: 'whole',
      CHECKS: 'succeed',
      CHUNK_BYTES: '0',
    });
    expect(await client.says('firmware')).toEqual({ bytes: FIRMWARE.length, version: '1.0' });
    await isUpdated(device);
  });

  test('lets a gateway speak for the devices behind it', async () => {
    const gateway = await house.newDevice({ kind: 'gateway' });
    const client = await start('sdk_gateway', { TOKEN: gateway.token });
    const children = (await house.asAdmin(`GET /api/devices?master=${gateway.id}&sort=name`)).items;
    expect(children.map(({ name }) => name)).toEqual(['meter A', 'meter B']);
    const [a, b] = children.map(({ id }) => ({ id: String(id) }));
    if (!a || !b) throw new Error('no children');

    expect([
      client.said('connected'),
      client.said('telemetry'),
      client.said('reported'),
      client.said('claimed'),
    ]).toEqual([0, [0, 0, 0], 0, 0]);
    expect(await claim('meter B', 'a secret of B')).toBe('SUCCESS');
    expect(client.said('attributes')).toEqual([
      { id: 1, device: 'meter A', value: 'm' },
      { id: 2, device: 'meter A', values: {} },
    ]);
    expect(await house.latest(a.id, 3)).toMatchObject({
      energy: { value: 5 },
      power: { value: 1 },
      voltage: { value: 230 },
    });
    expect(await house.latest(b.id, 1)).toMatchObject({ energy: { value: 7 } });
    expect(await house.latest(gateway.id, 1)).toMatchObject({ load: { value: 0.5 } });

    expect(await command(a, 'reset', { hard: true })).toMatchObject({
      status: 'succeeded',
      result: { did: 'reset', with: { hard: true } },
    });
    await house.asAdmin(`PATCH /api/devices/${a.id}/attributes`, { shared: { interval: 5 } });
    await house.asAdmin(`PATCH /api/devices/${a.id}/attributes`, { shared: { interval: null } });
    await waitUntil(
      () =>
        isIn(client.said('pushed'), [
          { device: 'meter A', data: { interval: 5 } },
          { device: 'meter A', data: { deleted: ['interval'] } },
        ]),
      { what: 'the gateway was told of every change' },
    );

    const connection = () => house.asAdmin(`GET /api/devices/${a.id}/connection`);
    expect(await connection()).toMatchObject({ online: true, via: 'gateway' });
    await writeFile(`${client.folder}/disconnect`, '');
    expect(await client.says('disconnected')).toBe(0);
    await waitUntil(async () => (await connection())['online'] === false, { what: 'the device is offline' });
    expect((await house.asAdmin(`GET /api/devices/${b.id}/connection`))['online']).toBe(true);
    await client.stop();
    await waitUntil(async () => (await house.asAdmin(`GET /api/devices/${b.id}/connection`))['online'] === false, {
      what: 'the other device is offline with its gateway',
    });
  });

  test('speaks HTTP, too', async () => {
    const device = await house.newDevice();
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 30 } });
    const client = await start('sdk_http', { TOKEN: device.token });
    expect(client.said('connected')).toBe(true);
    expect(client.said('attributes')).toEqual({ client: { model: 'h' }, shared: { interval: 30 } });
    expect(client.said('reply')).toMatchObject({ rateLimits: { messages: '500:1' } });
    expect(await house.latest(device.id, 1)).toMatchObject({ temperature: { value: 3 } });
    expect(await command(device, 'setGpio', { pin: 8 }, { timeoutMs: 20_000 })).toMatchObject({
      result: { method: 'done', params: { pin: 8 } },
    });
    expect(await client.says('pushed')).toEqual({ interval: 30 });
    await house.asAdmin(`PATCH /api/devices/${device.id}/attributes`, { shared: { interval: 31 } });
    await waitUntil(() => isIn([client.said('pushed')], [{ interval: 31 }]), { what: 'it was told of the change' });
  });

  test('loads firmware over HTTP', async () => {
    const device = await house.newDevice();
    await assignFirmware(device, 'over-http');
    const client = await start('sdk_http', { TOKEN: device.token, FIRMWARE: 'over-http' });
    expect(await client.says('firmware')).toEqual({ bytes: FIRMWARE.length });
    await isUpdated(device);
  });

  test('provisions devices with a provisioning key', async () => {
    const key = await house.asAdmin('POST /api/provisioning/keys', { name: 'of the SDK' });
    const client = await start('sdk_provision', { KEY: key.id, SECRET: String(key['key']) });
    expect(client.said('token')).toEqual({
      status: 'SUCCESS',
      credentialsType: 'ACCESS_TOKEN',
      credentialsValue: expect.any(String),
    });
    expect(client.said('basic')).toEqual({
      status: 'SUCCESS',
      credentialsType: 'MQTT_BASIC',
      credentialsValue: { clientId: 'c1', userName: 'u1', password: 'a password of ours' },
    });
    expect(client.said('telemetry')).toBe(0);
    const byName = async (name: string) =>
      (await house.asAdmin(`GET /api/devices?q=${encodeURIComponent(name)}`)).items.find(
        (device) => device['name'] === name,
      );
    expect(await byName('a gateway')).toMatchObject({ kind: 'gateway' });
    for (const [name, value] of [
      ['by mqtt', 5],
      ['by http', 4],
    ] as const) {
      const device = await byName(name);
      expect(await house.latest(String(device?.['id']), 1)).toMatchObject({ temperature: { value } });
    }
  });
});

/** Is each of these in the list, in this order? */
function isIn(list: unknown, wanted: readonly object[]): boolean {
  if (!Array.isArray(list)) return false;
  const places = wanted.map((one) => list.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)));
  return places.every((place, index) => place >= 0 && place > (places[index - 1] ?? -1));
}
