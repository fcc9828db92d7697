import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { Controller, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, describe, expect, test } from '@jest/globals';
import { AccessModule } from '#access';
import { CodedError, type DevicePrincipal, type ErrorCode, type RpcReply, type RpcRequest } from '#contracts';
import { MessagingModule, Rpc, rpcServer } from '#messaging';
import { createLogger, createService, PlatformModule, readConfig, ServiceConfig } from '#platform';
import { ProvisioningConfig } from '../src/config.ts';
import { ProvisioningModule } from '../src/provisioning.module.ts';

const MASTER_KEY = 'the key of masters';
const AGENT_KEY = 'the key of agents';
const KEYS = { DEVICE_MASTER_SECRET_KEY: MASTER_KEY, DEVICE_AGENT_SECRET_KEY: AGENT_KEY };

const deviceOf = (id: string, kind: 'direct' | 'master' | 'agent' = 'direct') =>
  ({ id, name: id, kind, customerId: null, ownerId: null, masterId: null, profileId: null, state: 'active' }) as const;

/** What the registry answers next, if it is to refuse. */
let refusal: { code: ErrorCode; message: string } | undefined;
/** What the registry was asked. */
let asked: unknown[] = [];

const answer = <T>(question: unknown, reply: T): T => {
  asked.push(question);
  if (refusal) throw new CodedError(refusal.code, refusal.message);
  return reply;
};

@Controller()
class RegistryOfTests {
  @Rpc('registry.twoStep.register')
  register(question: RpcRequest<'registry.twoStep.register'>): RpcReply<'registry.twoStep.register'> {
    return answer(question, { deviceId: randomUUID(), password: '234qweasdzxc' });
  }

  @Rpc('registry.twoStep.activate')
  activate(question: RpcRequest<'registry.twoStep.activate'>): RpcReply<'registry.twoStep.activate'> {
    return answer(question, { deviceId: randomUUID() });
  }

  @Rpc('registry.devices.requestByUuid')
  request(question: RpcRequest<'registry.devices.requestByUuid'>): RpcReply<'registry.devices.requestByUuid'> {
    return answer(question, { device: deviceOf(question.uuid, question.kind), token: 'a.b.c', expiresAt: 1 });
  }

  @Rpc('registry.credentials.verify')
  verify(question: RpcRequest<'registry.credentials.verify'>): DevicePrincipal {
    const id = randomUUID();
    return answer(question, { kind: 'device', credentialId: id, device: deviceOf(id), expiresAt: null });
  }
}

/** Auth is asked for what was revoked as soon as the service starts. */
@Controller()
class AuthOfTests {
  @Rpc('auth.revocations')
  revocations(): RpcReply<'auth.revocations'> {
    return { sessions: [], users: [] };
  }
}

interface Reply {
  status: number | undefined;
  type: string | undefined;
  retryAfter: string | undefined;
  text: string;
  body: unknown;
}

interface Sent {
  headers?: Record<string, string>;
  body?: unknown;
}

let app: NestExpressApplication | undefined;

async function start(env: Record<string, string> = {}, registry = true): Promise<void> {
  const logger = createLogger('provisioning', 'silent');
  const config = readConfig(ProvisioningConfig, { DATABASE_URL: 'file::memory:', ...env });
  @Module({
    imports: [
      PlatformModule.forRoot(logger),
      MessagingModule.forRoot({ service: 'provisioning' }),
      AccessModule,
      ProvisioningModule.register(config),
    ],
    controllers: [AuthOfTests, ...(registry ? [RegistryOfTests] : [])],
  })
  class Root {}
  const service = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0 });
  app = await createService({ name: 'provisioning', module: Root, config: service, logger, rpc: rpcServer });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
}

async function call(route: `${string} /${string}`, { headers = {}, body }: Sent = {}): Promise<Reply> {
  const [method, path = ''] = route.split(/ (.*)/);
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const json =
    text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
  const url = `${(await app?.getUrl()) ?? ''}${path}`;
  return new Promise((resolve, reject) => {
    const sending = request(url, { method, headers: { ...json, ...headers } }, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
      response.on('end', () => {
        const { 'content-type': type, 'retry-after': retryAfter } = response.headers;
        const parsed: unknown = received === '' ? undefined : JSON.parse(received);
        resolve({ status: response.statusCode, type, retryAfter, text: received, body: parsed });
      });
    });
    sending.on('error', reject);
    sending.end(text);
  });
}

afterEach(async () => {
  refusal = undefined;
  asked = [];
  await app?.close();
  app = undefined;
});

describe('two steps', () => {
  const device = { customer_id: 'abc123', mac_address: '44:8a:5b:9c:70:93' };
  const register = (body: unknown = device) => call('POST /provisioning/register', { body });
  const activate = (body: unknown = { ...device, password: 'secret' }) => call('POST /provisioning/activate', { body });

  test('register answers with a password, and nothing else', async () => {
    await start();
    const reply = await register();
    expect(reply).toMatchObject({ status: 201, body: { password: '234qweasdzxc' } });
    expect(reply.text).toBe('{"password":"234qweasdzxc"}');
    expect(asked).toEqual([{ customerNumber: 'abc123', macAddress: '44:8A:5B:9C:70:93' }]);
  });

  test('activate answers without payload', async () => {
    await start();
    expect(await activate()).toMatchObject({ status: 200, text: '' });
    expect(asked).toEqual([{ customerNumber: 'abc123', macAddress: '44:8A:5B:9C:70:93', password: 'secret' }]);
  });

  test.each(['44-8A-5B-9C-70-93', '448a5b9c7093', '448a.5b9c.7093'])(
    '%s is the same MAC address',
    async (mac_address) => {
      await start();
      await register({ ...device, mac_address });
      expect(asked).toMatchObject([{ macAddress: '44:8A:5B:9C:70:93' }]);
    },
  );

  test.each([
    'CUSTOMER_UNKNOWN',
    'DEVICE_LIMIT_REACHED',
    'ALREADY_ACTIVATED',
    'NOT_REGISTERED',
    'BAD_CREDENTIALS',
    'DEVICE_DISABLED',
    'CREDENTIAL_LIMIT_REACHED',
  ] as const)('%s is a 403 that says its reason', async (code) => {
    await start();
    refusal = { code, message: 'Some reason.' };
    for (const reply of [await register(), await activate()]) {
      expect(reply).toMatchObject({ status: 403, text: '{"error":"Some reason."}' });
      expect(reply.type).toContain('application/json');
    }
  });

  test.each<[string, unknown, RegExp]>([
    ['no MAC address', { customer_id: 'abc123' }, /mac_address/],
    ['a MAC address that is none', { ...device, mac_address: 'xyz' }, /mac_address.*hex/],
    ['a number as MAC address', { ...device, mac_address: 7 }, /mac_address/],
    ['21 pairs', { ...device, mac_address: 'AA'.repeat(21) }, /mac_address/],
    ['no customer', { mac_address: 'AA:BB' }, /customer_id/],
    ['an empty customer', { ...device, customer_id: '' }, /customer_id/],
    ['an operator as customer', { ...device, customer_id: { $gt: '' } }, /customer_id/],
    ['a long customer', { ...device, customer_id: 'x'.repeat(65) }, /customer_id/],
    ['a list', [], /./],
    ['null', null, /./],
    ['a text', '"abc"', /./],
  ])('%s is a 422 that names the field', async (_what, body, reason) => {
    await start();
    for (const reply of [await register(body), await activate(body)]) {
      expect(reply).toMatchObject({ status: 422, body: { error: expect.stringMatching(reason) } });
      expect(Object.keys(reply.body as object)).toEqual(['error']);
    }
    expect(asked).toEqual([]);
  });

  test('a missing password is a 422 that names it', async () => {
    await start();
    for (const password of [undefined, '', 7, null]) {
      expect((await activate({ ...device, password })).body).toEqual({ error: expect.stringContaining('password') });
    }
  });

  test('what is wrong before any route is looked for is told in the same shape', async () => {
    await start();
    const path = 'POST /provisioning/register';
    expect(await call(path, { body: '{"customer_id' })).toMatchObject({
      status: 400,
      body: { error: expect.any(String) },
    });
    expect(await call('POST /Provisioning/Activate/', { body: '{' })).toMatchObject({
      status: 400,
      body: { error: expect.any(String) },
    });
    const xml = { headers: { 'Content-Type': 'text/xml' }, body: '<a/>' };
    expect(await call(path, xml)).toMatchObject({ status: 415, body: { error: expect.any(String) } });
    const large = await call(path, { body: { customer_id: 'x'.repeat(2_000_000) } });
    expect(large).toMatchObject({ status: 413, body: { error: expect.any(String) } });
    expect(await call(path)).toMatchObject({ status: 422, body: { error: expect.any(String) } });
    expect(await call('GET /provisioning/register')).toMatchObject({
      status: 404,
      body: { error: expect.any(String) },
    });
  });

  test('too many, and a registry that is away, say when to try again', async () => {
    await start({ PROVISIONING_RATE: '1' }, false);
    const away = await register();
    expect(away).toMatchObject({ status: 503, body: { error: expect.any(String) } });
    expect(Number(away.retryAfter)).toBeGreaterThan(0);
    const many = await register();
    expect(many).toMatchObject({ status: 429, body: { error: expect.any(String) } });
    expect(Number(many.retryAfter)).toBeGreaterThan(0);
  });

  test('a registry that does not answer in time is one that is away', async () => {
    await start();
    refusal = { code: 'UPSTREAM_TIMEOUT', message: 'no answer' };
    expect(await register()).toMatchObject({ status: 503, body: { error: 'no answer' }, retryAfter: '2' });
  });
});

describe('uuid and secret key', () => {
  const uuid = randomUUID();
  const ask = (query = `?uuid=${uuid}`, headers: Record<string, string> = { 'x-secret-key': AGENT_KEY }) =>
    call(`GET /auth/devices/request${query}`, { headers });

  test('give a token to a master or an agent, by which key it is and however it is sent', async () => {
    await start(KEYS);
    const reply = await ask();
    expect(reply).toMatchObject({ status: 200, text: '{"c":"OK","t":"a.b.c"}' });
    await ask(`?uuid=${uuid}`, { 'x-secret-key': MASTER_KEY });
    await ask(`?uuid=${uuid}`, { authorization: 'Bearer not-a-key', 'x-secret-key': MASTER_KEY });
    expect(asked).toMatchObject([{ kind: 'agent' }, { kind: 'master' }, { kind: 'master' }]);
    await app?.close();
    await start({ DEVICE_AGENT_SECRET_KEY: 'agents-secret' });
    expect((await ask(`?uuid=${uuid}`, { authorization: 'Bearer agents-secret' })).status).toBe(200);
    expect(asked.at(-1)).toEqual({ uuid, kind: 'agent', onlyKnown: false });
  });

  test('let an agent name its master', async () => {
    await start(KEYS);
    const master = randomUUID();
    await ask(`?uuid=${uuid}&master=${master}`);
    expect(asked).toEqual([{ uuid, kind: 'agent', masterUuid: master, onlyKnown: false }]);
    const reply = await ask(`?uuid=${uuid}&master=${master}`, { 'x-secret-key': MASTER_KEY });
    expect(reply).toMatchObject({ status: 400, body: { c: 'ERROR' } });
  });

  test.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['an empty key', { 'x-secret-key': '' }],
    ['a wrong key', { 'x-secret-key': `${AGENT_KEY}!` }],
    ['a part of a key', { 'x-secret-key': AGENT_KEY.slice(0, -1) }],
    ['both keys', { 'x-secret-key': `${AGENT_KEY}, ${MASTER_KEY}` }],
    ['a key of another form', { authorization: `Basic ${AGENT_KEY}` }],
  ])('%s is FORBIDDEN, whatever else is wrong', async (_what, headers) => {
    await start(KEYS);
    for (const query of [`?uuid=${uuid}`, '?uuid=x', '']) {
      expect(await ask(query, headers)).toMatchObject({ status: 403, text: '{"c":"FORBIDDEN"}' });
    }
    expect(asked).toEqual([]);
  });

  test('a way in without a key of its own is FORBIDDEN', async () => {
    await start();
    for (const key of ['', 'undefined', MASTER_KEY]) {
      expect(await ask(`?uuid=${uuid}`, { 'x-secret-key': key })).toMatchObject({ status: 403 });
    }
  });

  test.each([
    '',
    '?uuid=',
    '?uuid=no-uuid',
    `?uuid=${uuid}x`,
    `?uuid=${uuid}&uuid=${uuid}`,
    `?uuid[$gt]=`,
    `?uuid=${encodeURIComponent("' OR '1'='1")}`,
    `?uuid=${uuid}&master=x`,
    `?uuid=${uuid}&master=`,
  ])('%j is an ERROR', async (query) => {
    await start(KEYS);
    expect(await ask(query)).toMatchObject({ status: 400, text: '{"c":"ERROR"}' });
    expect(asked).toEqual([]);
  });

  test.each<[ErrorCode, number, string]>([
    ['FORBIDDEN', 403, 'FORBIDDEN'],
    ['DEVICE_DISABLED', 403, 'FORBIDDEN'],
    ['NOT_REGISTERED', 404, 'NOT_REGISTERED'],
    ['UNAVAILABLE', 503, 'ERROR'],
    ['UPSTREAM_TIMEOUT', 503, 'ERROR'],
    ['CREDENTIAL_LIMIT_REACHED', 409, 'ERROR'],
    ['INTERNAL', 500, 'ERROR'],
  ])('%s of the registry is told as %s %s', async (code, status, c) => {
    await start(KEYS);
    refusal = { code, message: 'why' };
    expect(await ask()).toMatchObject({ status, body: { c } });
  });

  test('only known devices may ask where that is configured', async () => {
    await start({ ...KEYS, DEVICE_REGISTRATION: 'known' });
    await ask();
    expect(asked).toMatchObject([{ onlyKnown: true }]);
  });

  test('too many, a registry that is away and a body that is none are ERRORs', async () => {
    await start({ ...KEYS, PROVISIONING_RATE: '1' }, false);
    const away = await ask();
    expect(away).toMatchObject({ status: 503, body: { c: 'ERROR' }, retryAfter: expect.any(String) });
    const many = await ask();
    expect(many).toMatchObject({ status: 429, body: { c: 'ERROR' }, retryAfter: expect.any(String) });
    const broken = await call('GET /auth/devices/request', { body: '{' });
    expect(broken).toMatchObject({ status: 400, body: { c: 'ERROR' } });
  });

  test('two keys that are the same keep the service from starting', async () => {
    await expect(
      start({ DEVICE_MASTER_SECRET_KEY: 'one secret', DEVICE_AGENT_SECRET_KEY: 'one secret' }),
    ).rejects.toThrow(/DEVICE_AGENT_SECRET_KEY/);
    for (const env of [
      { DEVICE_MASTER_SECRET_KEY: 'short' },
      { DEVICE_REGISTRATION: 'closed' },
      { MQTT_PUBLIC_ADDRESS: 'mqtt://broker' },
    ]) {
      expect(() => readConfig(ProvisioningConfig, { DATABASE_URL: 'file::memory:', ...env })).toThrow(
        Object.keys(env)[0],
      );
    }
  });
});

describe('GET /mqtt', () => {
  const ask = (headers: Record<string, string> = { authorization: 'Bearer a.b.c' }) => call('GET /mqtt', { headers });

  test('tells a device where MQTT is: on the host that it asked, unless it is configured', async () => {
    await start();
    expect(await ask()).toMatchObject({ status: 200, text: '{"c":"OK","ip":"127.0.0.1:1883"}' });
    expect((await ask({ authorization: 'Bearer a.b.c', host: 'iot.example:8080' })).body).toEqual({
      c: 'OK',
      ip: 'iot.example:1883',
    });
    await app?.close();
    await start({ MQTT_PUBLIC_ADDRESS: 'gateway.example:12345' });
    expect((await ask()).body).toEqual({ c: 'OK', ip: 'gateway.example:12345' });
  });

  test('takes any credentials of a device', async () => {
    await start();
    await ask({ authorization: 'Bearer access-token' });
    await ask({ authorization: `Basic ${Buffer.from('c/AA:BB:secret').toString('base64')}` });
    expect(asked).toEqual([
      { kind: 'token', token: 'access-token' },
      { kind: 'password', userName: 'c/AA:BB', password: 'secret' },
    ]);
  });

  test.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['an empty header', { authorization: '' }],
    ['no token', { authorization: 'Bearer' }],
    ['Basic credentials that are none', { authorization: 'Basic !' }],
    ['a token that is too long', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
    ['the secret key', { 'x-secret-key': MASTER_KEY }],
  ])('is FORBIDDEN with %s', async (_what, headers) => {
    await start(KEYS);
    expect(await ask(headers)).toMatchObject({ status: 403, text: '{"c":"FORBIDDEN"}' });
    expect(asked).toEqual([]);
  });

  test.each<[ErrorCode, number, string]>([
    ['BAD_CREDENTIALS', 403, 'FORBIDDEN'],
    ['TOKEN_EXPIRED', 403, 'FORBIDDEN'],
    ['DEVICE_DISABLED', 403, 'FORBIDDEN'],
    ['NOT_REGISTERED', 404, 'NOT_REGISTERED'],
    ['UNAVAILABLE', 503, 'ERROR'],
  ])('tells %s of the registry as %s %s', async (code, status, c) => {
    await start();
    refusal = { code, message: 'why' };
    expect(await ask()).toMatchObject({ status, body: { c } });
  });

  test('is not for those who want to speak WebSocket', async () => {
    await start();
    const reply = await ask({ authorization: 'Bearer a.b.c', connection: 'Upgrade', upgrade: 'websocket' });
    expect(reply.status).toBe(404);
    expect(asked).toEqual([]);
  });
});
