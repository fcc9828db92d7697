import { randomUUID } from 'node:crypto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { io, type Socket } from 'socket.io-client';
import { rpcServer } from '#messaging';
import { createLogger, createService } from '#platform';
import { tempDir, waitUntil } from '#testing';
import { readStandaloneConfig } from '../src/config.ts';
import { DataFolder } from '../src/data-folder.ts';
import { StandaloneModule } from '../src/standalone.module.ts';

const ADMIN = { ADMIN_EMAIL: 'admin@example.com', ADMIN_PASSWORD: 'a good long password' };
const MASTER_KEY = 'the key of masters';
/** So that a token's end is announced a second after it was given. */
const JWT_SECONDS = 61;

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown> & { id: string; items: Record<string, unknown>[] };
}

/** All services in one process: what a device is given by one of them opens the doors of the others. */
describe('a device that got in', () => {
  let folder: DataFolder;
  let app: NestExpressApplication;
  let url: string;
  let admin: string;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    const config = readStandaloneConfig(['--no-demo'], {
      ...ADMIN,
      DATA_DIR: (await tempDir()).path,
      HOST: '127.0.0.1',
      DEVICE_MASTER_SECRET_KEY: MASTER_KEY,
      DEVICE_JWT_SECONDS: String(JWT_SECONDS),
    });
    if (!config) throw new Error('no configuration');
    const logger = createLogger('fieldline', 'silent');
    folder = new DataFolder(config.DATA_DIR);
    const module = StandaloneModule.register(config, folder, logger);
    app = await createService({ name: 'fieldline', module, config, logger, rpc: rpcServer });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    const login = await call('POST /user/login', { email: ADMIN.ADMIN_EMAIL, password: ADMIN.ADMIN_PASSWORD });
    admin = `Bearer ${String(login.body['token'])}`;
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
  afterAll(async () => {
    await app.close();
    folder.release();
  });

  async function call(
    route: string,
    body?: unknown,
    authorization?: string,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    const [method = '', path = ''] = route.split(' ');
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...more,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = (text === '' ? {} : JSON.parse(text)) as Answer['body'];
    return { status: response.status, headers: response.headers, body: parsed };
  }

  const asAdmin = async (route: string, body?: unknown): Promise<Answer['body']> =>
    (await call(route, body, admin)).body;
  const basic = (userName: string, password: string): string =>
    `Basic ${Buffer.from(`${userName}:${password}`).toString('base64')}`;
  const send = (authorization: string | undefined, more: object = {}) =>
    call('POST /telemetry', { sensor: 'temperature', value: 21, ...more }, authorization);
  const stateOf = async (id: string): Promise<unknown> => (await asAdmin(`GET /api/devices/${id}`))['state'];
  const becomesActive = (id: string) =>
    waitUntil(async () => (await stateOf(id)) === 'active', { what: 'the device is active' });

  function connect(auth: object): Promise<Socket> {
    const socket = io(`${url}/telemetry`, { auth, transports: ['websocket'], reconnection: false });
    sockets.push(socket);
    return new Promise((resolve, reject) => {
      socket.once('connect', () => {
        resolve(socket);
      });
      socket.once('connect_error', (error: Error & { data?: unknown }) => {
        reject(Object.assign(error, { refusal: error.data }));
      });
    });
  }

  /** A device that took both steps, unless `steps` is 1. */
  async function inTwoSteps(steps = 2): Promise<{ number: string; mac: string; password: string }> {
    const number = `c-${randomUUID()}`;
    await asAdmin('POST /api/customers', { number, name: 'A' });
    const mac = '44:8a:5b:9c:70:93';
    const device = { customer_id: number, mac_address: mac };
    const registered = await call('POST /provisioning/register', device);
    expect(registered.status).toBe(201);
    const password = String(registered.body['password']);
    if (steps === 2) expect((await call('POST /provisioning/activate', { ...device, password })).status).toBe(200);
    return { number, mac, password };
  }

  test('by two steps sends readings with its password, over HTTP and sockets, and only after the second', async () => {
    const { number, mac, password } = await inTwoSteps(1);
    const refused = await send(basic(`${number}/${mac}`, password));
    expect(refused).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    const auth = { userName: `${number}/${mac}`, password };
    await expect(connect(auth)).rejects.toMatchObject({ refusal: { code: 'BAD_CREDENTIALS' } });
    await call('POST /provisioning/activate', { customer_id: number, mac_address: mac, password });
    for (const notation of [mac, mac.toUpperCase(), mac.replaceAll(':', '-'), mac.replaceAll(':', '')]) {
      expect(await send(basic(`${number}/${notation}`, password))).toMatchObject({
        status: 200,
        body: { accepted: 1 },
      });
    }
    const socket = await connect(auth);
    expect(await socket.emitWithAck('readings', { sensor: 'a', value: 1 })).toMatchObject({ ok: true });
    expect((await send(basic(`${number}/${mac}`, `${password}x`))).status).toBe(401);
  });

  test('and is reset loses its connections at once, and gets in again as the same device', async () => {
    const { number, mac, password } = await inTwoSteps();
    const socket = await connect({ userName: `${number}/${mac}`, password });
    const ended = new Promise((resolve) => socket.once('auth:ended', resolve));
    const [device] = (await asAdmin(`GET /api/devices?q=${number}`)).items;
    const id = String(device?.['id']);
    expect((await call(`POST /api/devices/${id}/reset`, undefined, admin)).status).toBe(204);
    expect(await ended).toMatchObject({ code: 'TOKEN_REVOKED' });
    expect((await send(basic(`${number}/${mac}`, password))).status).toBe(401);
    const again = await call('POST /provisioning/register', { customer_id: number, mac_address: mac });
    const next = String(again.body['password']);
    await call('POST /provisioning/activate', { customer_id: number, mac_address: mac, password: next });
    expect((await send(basic(`${number}/${mac}`, next))).status).toBe(200);
    expect(await stateOf(id)).toBe('active');
  });

  test('and is told no more than its reason is refused in the shape of the document', async () => {
    const { number, mac } = await inTwoSteps();
    const device = { customer_id: number, mac_address: mac };
    for (const [step, body] of [
      ['register', device],
      ['register', { ...device, customer_id: randomUUID() }],
      ['activate', { ...device, password: 'another' }],
      ['activate', { ...device, mac_address: 'AA:BB', password: 'x' }],
    ] as const) {
      const { status, body: said } = await call(`POST /provisioning/${step}`, body);
      expect({ status, said }).toEqual({ status: 403, said: { error: expect.any(String) } });
    }
  });

  const request = (uuid: string, key = MASTER_KEY) =>
    call(`GET /auth/devices/request?uuid=${uuid}`, undefined, undefined, { 'x-secret-key': key });

  test('by its uuid sends readings with its token, is active from then on, and is told where MQTT is', async () => {
    const uuid = randomUUID();
    const token = `Bearer ${String((await request(uuid)).body['t'])}`;
    expect(await stateOf(uuid)).toBe('provisioned');
    expect((await send(token)).status).toBe(200);
    await becomesActive(uuid);
    expect((await call('GET /mqtt', undefined, token)).body).toEqual({ c: 'OK', ip: '127.0.0.1:1883' });
    expect((await call('GET /api/devices', undefined, token)).status).toBe(401);
    expect((await request(uuid, 'another key')).body).toEqual({ c: 'FORBIDDEN' });
    await call(`DELETE /api/devices/${uuid}`, undefined, admin);
    await waitUntil(async () => (await call('GET /mqtt', undefined, token)).status === 404, { what: 'it is gone' });
    expect((await call('GET /mqtt', undefined, token)).body).toEqual({ c: 'NOT_REGISTERED' });
    expect((await send(token)).status).toBe(401);
  });

  test('by its uuid is warned before its token ends, and stays connected with the next one', async () => {
    const uuid = randomUUID();
    const tokenOf = async (): Promise<unknown> => (await request(uuid)).body['t'];
    const socket = await connect({ token: await tokenOf() });
    const warned = await new Promise((resolve) => socket.once('auth:expiring', resolve));
    expect(warned).toEqual({ expiresAt: expect.any(Number) });
    const renewed: unknown = await socket.emitWithAck('auth:refresh', { token: await tokenOf() });
    expect(renewed).toEqual({ ok: true, expiresAt: expect.any(Number) });
    expect((renewed as { expiresAt: number }).expiresAt).toBeGreaterThan((warned as { expiresAt: number }).expiresAt);
    const other: unknown = await socket.emitWithAck('auth:refresh', { token: (await request(randomUUID())).body['t'] });
    expect(other).toMatchObject({ ok: false, code: 'FORBIDDEN' });
    expect(await socket.emitWithAck('readings', { sensor: 'a', value: 1 })).toMatchObject({ ok: true });
  });

  test('by an access token is active once readings that it sends are durable, and so is the device behind it that they are of', async () => {
    const hub = await asAdmin('POST /api/devices', { name: 'Hub', kind: 'gateway' });
    const pump = await asAdmin('POST /api/devices', { name: 'Pump', master: hub.id });
    const { accessToken } = await asAdmin(`POST /api/devices/${hub.id}/credentials`);
    const socket = await connect({ token: accessToken });
    expect([await stateOf(hub.id), await stateOf(pump.id)]).toEqual(['created', 'created']);
    await socket.emitWithAck('readings', { device: 'Pump', sensor: 'a', value: 1 });
    await becomesActive(pump.id);
    await becomesActive(hub.id);
    for (const value of [1, 2, 3]) await socket.emitWithAck('readings', { sensor: 'a', value });
    const { version } = await asAdmin(`GET /api/devices/${hub.id}`);
    await socket.emitWithAck('readings', { sensor: 'a', value: 4 });
    expect((await asAdmin(`GET /api/devices/${hub.id}`))['version']).toBe(version);
  });

  test('is not let in with a token that it made itself', async () => {
    const uuid = randomUUID();
    const claims = jwt.decode(String((await request(uuid)).body['t']), { json: true }) ?? {};
    for (const forged of [
      jwt.sign(claims, null, { algorithm: 'none' }),
      jwt.sign(claims, MASTER_KEY),
      jwt.sign({ ...claims, iss: 'fieldline' }, MASTER_KEY),
      `${jwt.sign(claims, MASTER_KEY)}.x`,
    ]) {
      expect((await send(`Bearer ${forged}`)).status).toBe(401);
      await expect(connect({ token: forged })).rejects.toMatchObject({ refusal: { message: expect.any(String) } });
      expect((await call('GET /mqtt', undefined, `Bearer ${forged}`)).body).toEqual({ c: 'FORBIDDEN' });
    }
  });

  test('is told both ways of saying who it is where it says nothing', async () => {
    const { status, headers, body } = await send(undefined);
    expect({ status, code: body['code'] }).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    expect(headers.get('www-authenticate')).toMatch(/^Bearer, Basic realm=/);
    expect(body['detail']).toMatch(/Bearer.*Basic/);
  });

  test('and is switched off is refused with that as its reason', async () => {
    const { number, mac, password } = await inTwoSteps();
    const socket = await connect({ userName: `${number}/${mac}`, password });
    const ended = new Promise((resolve) => socket.once('auth:ended', resolve));
    const [device] = (await asAdmin(`GET /api/devices?q=${number}`)).items;
    await call(`PATCH /api/devices/${String(device?.['id'])}`, { enabled: false }, admin);
    await ended;
    const refused = await send(basic(`${number}/${mac}`, password));
    expect(refused).toMatchObject({ status: 403, body: { code: 'DEVICE_DISABLED' } });
  });
});
