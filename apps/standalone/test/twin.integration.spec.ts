import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectAsync, type MqttClient } from 'mqtt';
import { waitUntil } from '#testing';
import { startHouse, type Json, type Reply, type StartedHouse, type TestDevice } from './started-house.ts';

/** What people write about devices and devices about themselves, through the whole house. */
describe('the twin of a device', () => {
  let house: StartedHouse;
  let device: TestDevice;

  beforeAll(async () => {
    house = await startHouse();
    device = await house.newDevice();
  });
  afterAll(async () => {
    await house.stop();
  });

  const as = (authorization: string, what: `${string} /${string}`, body?: unknown, more?: Record<string, string>) =>
    house.call(what, body, { Authorization: authorization, ...more });
  const patch = (body: unknown, more?: Record<string, string>, of = device): Promise<Reply> =>
    as(house.authorization, `PATCH /api/devices/${of.id}/attributes`, body, more);
  const read = (query = '', of = device): Promise<Reply> =>
    as(house.authorization, `GET /api/devices/${of.id}/attributes${query}`);

  async function signUp(email: string): Promise<{ id: string; authorization: string }> {
    const password = 'another good password';
    const { body } = await house.call('POST /user/signup', { email, password, name: email });
    const login = await house.call('POST /user/login', { email, password });
    const user = (body['user'] ?? body) as Json;
    return { id: user.id, authorization: `Bearer ${String(login.body['token'])}` };
  }

  const connect = (of: TestDevice): Promise<MqttClient> =>
    connectAsync({
      protocol: 'mqtt',
      host: '127.0.0.1',
      port: house.mqttPort,
      username: of.token,
      protocolVersion: 5,
      reconnectPeriod: 0,
    });

  test('is empty at first, and has a version', async () => {
    const { status, headers, body } = await read();
    expect({ status, etag: headers.get('etag'), body }).toEqual({
      status: 200,
      etag: '"0"',
      body: { client: {}, shared: {}, server: {} },
    });
  });

  test('is changed by merge patches and read by scope and key', async () => {
    expect((await patch({ shared: { interval: 5, net: { ip: '1', dns: 'a' } }, server: { site: 'x' } })).body).toEqual({
      client: {},
      shared: { interval: 5, net: { ip: '1', dns: 'a' } },
      server: { site: 'x' },
    });
    const { headers, body } = await patch({ shared: { interval: null, net: { dns: null, gw: 2 } } });
    expect(body).toEqual({ client: {}, shared: { net: { ip: '1', gw: 2 } }, server: { site: 'x' } });
    expect(headers.get('etag')).toBe('"2"');
    await house.call(`POST /api/v1/${device.token}/attributes`, { model: 'M1', net: 'own' });
    expect((await read('?scope=client')).body).toEqual({ client: { model: 'M1', net: 'own' }, shared: {}, server: {} });
    expect((await read('?keys=net,site')).body).toEqual({
      client: { net: 'own' },
      shared: { net: { ip: '1', gw: 2 } },
      server: { site: 'x' },
    });
    expect((await house.call(`GET /api/v1/${device.token}/attributes`)).body).toEqual({
      client: { model: 'M1', net: 'own' },
      shared: { net: { ip: '1', gw: 2 } },
    });
  });

  test('says which write each attribute is of, and whose', async () => {
    const { version, items } = await house.asAdmin(`GET /api/devices/${device.id}/attributes/versions`);
    expect(version).toBe(3);
    expect(items.find(({ key }) => key === 'site')).toEqual({
      scope: 'server',
      key: 'site',
      version: 1,
      updatedAt: expect.any(Number),
      updatedBy: expect.any(String),
    });
    expect(items.find(({ key }) => key === 'model')).toMatchObject({ scope: 'client', version: 3, updatedBy: null });
  });

  test('is changed only upon what was read, if that is asked for', async () => {
    const etag = (await read()).headers.get('etag') ?? '';
    expect((await patch({ server: { a: 1 } }, { 'If-Match': etag })).status).toBe(200);
    const late = await patch({ server: { a: 2 } }, { 'If-Match': etag });
    expect({ status: late.status, code: late.body['code'] }).toEqual({ status: 412, code: 'VERSION_MISMATCH' });
    expect((await patch({ server: { a: 1 } })).headers.get('etag')).toBe((await read()).headers.get('etag'));
  });

  test.each<[string, unknown, number, string]>([
    ['client attributes', { client: { a: 1 } }, 422, 'INVALID_INPUT'],
    ['a list', [], 422, 'INVALID_INPUT'],
    ['a scope that is no object', { shared: [1] }, 422, 'INVALID_INPUT'],
    ['a key with a line break', { shared: { 'a\n': 1 } }, 422, 'BAD_ATTRIBUTE'],
    ['a value nested deep', `{"shared":{"a":${'['.repeat(40)}${']'.repeat(40)}}}`, 422, 'BAD_ATTRIBUTE'],
    ['a value beyond numbers', '{"shared":{"a":1e999}}', 422, 'BAD_ATTRIBUTE'],
    ['a value of more than 16 KiB', { server: { a: 'x'.repeat(16_384) } }, 413, 'ATTRIBUTES_TOO_LARGE'],
    [
      'too many',
      { server: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${String(i)}`, i])) },
      413,
      'ATTRIBUTES_TOO_LARGE',
    ],
    ['no JSON', '{"shared":', 400, 'MALFORMED_JSON'],
  ])('does not take %s', async (_, body, status, code) => {
    const before = (await read()).headers.get('etag');
    const reply = await patch(body, { 'Content-Type': 'application/json' });
    expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status, code });
    expect((await read()).headers.get('etag')).toBe(before);
  });

  test('is for those who may see the device, to write for those who may send to it', async () => {
    const viewer = await signUp('viewer@example.com');
    const what = `/api/devices/${device.id}/attributes` as const;
    expect((await as(viewer.authorization, `GET ${what}`)).status).toBe(404);
    expect((await as(viewer.authorization, `PATCH ${what}`, { server: { v: 1 } })).status).toBe(404);
    await house.asAdmin(`PUT /api/devices/${device.id}/shares`, { user: viewer.id, access: 'read' });
    expect((await as(viewer.authorization, `GET ${what}`)).status).toBe(200);
    const refused = await as(viewer.authorization, `PATCH ${what}`, { server: { v: 1 } });
    expect({ status: refused.status, code: refused.body['code'] }).toEqual({ status: 403, code: 'FORBIDDEN' });
    await house.asAdmin(`PUT /api/devices/${device.id}/shares`, { user: viewer.id, access: 'write' });
    expect((await as(viewer.authorization, `PATCH ${what}`, { server: { v: 1 } })).status).toBe(200);
    const assigned = await as(viewer.authorization, `PUT /api/devices/${device.id}/firmware`, { package: viewer.id });
    expect(assigned.status).toBe(403);
    expect((await as(viewer.authorization, 'GET /api/firmware')).status).toBe(403);
    expect((await as(viewer.authorization, 'GET /api/firmware/rollouts')).status).toBe(403);
  });

  test('is told to a device over MQTT once when it connects, in the order of the writes, and not again', async () => {
    const own = await house.newDevice();
    await patch({ shared: { a: 1, b: 1 } }, {}, own);
    await patch({ shared: { b: null, c: 3 } }, {}, own);
    const told: unknown[] = [];
    const listen = async (client: MqttClient) => {
      client.on('message', (_, payload) => told.push(JSON.parse(payload.toString())));
      await client.subscribeAsync('v1/devices/me/attributes', { qos: 1 });
    };
    const first = await connect(own);
    await listen(first);
    await waitUntil(() => told.length === 3, { what: 'it was told of both writes' });
    expect(told).toEqual([{ a: 1 }, { deleted: ['b'] }, { c: 3 }]);
    await waitUntil(
      async () => (await house.asAdmin(`GET /api/devices/${own.id}/attributes/versions`))['deliveredVersion'] === 2,
      { what: 'it is known that the device has them' },
    );
    await first.endAsync();
    const second = await connect(own);
    await listen(second);
    await patch({ shared: { d: 4 } }, {}, own);
    await waitUntil(() => told.length === 4, { what: 'it was told of the next one' });
    expect(told.at(-1)).toEqual({ d: 4 });
    await second.endAsync();
  });

  test('gets firmware by a rollout to its profile', async () => {
    const profile = await house.asAdmin('POST /api/device-profiles', { name: 'boilers' });
    const devices = await Promise.all([1, 2, 3].map(() => house.newDevice({ profile: profile.id })));
    const response = await fetch(`${house.url}/api/firmware?title=Boiler&version=7`, {
      method: 'POST',
      headers: { Authorization: house.authorization, 'Content-Type': 'application/octet-stream' },
      body: randomBytes(1_000),
    });
    const { id } = (await response.json()) as Json;
    const body = { package: id, profile: profile.id, percent: 100 };
    const rollout = await house.asAdmin('POST /api/firmware/rollouts', body);
    const [one] = devices;
    if (!one) throw new Error('there are devices');
    const client = await connect(one);
    const told = new Promise<unknown>((resolve) => {
      client.on('message', (_, payload) => {
        resolve(JSON.parse(payload.toString()));
      });
    });
    await client.subscribeAsync('v1/devices/me/attributes', { qos: 1 });
    expect(await told).toMatchObject({ fw_title: 'Boiler', fw_version: '7', fw_size: 1_000 });
    const stateOf = async () =>
      ((await house.asAdmin(`GET /api/devices/${one.id}/firmware`)) as unknown as Json[])[0]?.['state'];
    await waitUntil(async () => (await stateOf()) === 'initiated', { what: 'it is known that the device was told' });
    const view = () => house.asAdmin(`GET /api/firmware/rollouts/${rollout.id}`);
    await waitUntil(async () => (await view())['assigned'] === 3, { what: 'all devices have it' });
    for (const { token } of devices) {
      await house.call(`POST /api/v1/${token}/telemetry`, { current_fw_title: 'Boiler', current_fw_version: '7' });
    }
    await waitUntil(async () => (await view())['state'] === 'done', { what: 'it is done' });
    expect(await view()).toMatchObject({ assigned: 3, updated: 3, failed: 0, inProgress: 0, message: null });
    await client.endAsync();
    const missing = { ...body, profile: id };
    expect((await as(house.authorization, 'POST /api/firmware/rollouts', missing)).status).toBe(422);
    const inUse = await as(house.authorization, `DELETE /api/firmware/${id}`);
    expect(inUse.body['code']).toBe('FIRMWARE_IN_USE');
  });
});
