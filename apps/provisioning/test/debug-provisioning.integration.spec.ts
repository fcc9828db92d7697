import { request } from 'node:http';
import { Controller, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, describe, expect, test } from '@jest/globals';
import { AccessModule } from '#access';
import { CodedError, type RpcReply, type RpcRequest } from '#contracts';
import { MessagingModule, Rpc, rpcServer } from '#messaging';
import { createLogger, createService, PlatformModule, readConfig, ServiceConfig } from '#platform';
import { ProvisioningConfig } from '../src/config.ts';
import { ProvisioningModule } from '../src/provisioning.module.ts';

const DEVICE = {
  id: '0198c0de-0000-7000-8000-000000000001',
  name: 'it',
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'provisioned',
} as const;

/** What the registry would answer: a token that names its MAC address. */
@Controller()
class RegistryOfTests {
  @Rpc('registry.devices.provisionByMac')
  provision({
    macAddress,
  }: RpcRequest<'registry.devices.provisionByMac'>): RpcReply<'registry.devices.provisionByMac'> {
    if (macAddress === 'DE:AD') throw new CodedError('UNAVAILABLE', 'The registry is away.', { retryAfterMs: 1_000 });
    return { device: DEVICE, created: true, accessToken: `token of ${macAddress}` };
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
  body: Record<string, unknown>;
}

describe('GET /debug/provisioning', () => {
  let app: NestExpressApplication | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function start(env: Record<string, string>, trustProxy = 0): Promise<void> {
    const logger = createLogger('provisioning', 'silent');
    @Module({
      imports: [
        PlatformModule.forRoot(logger),
        MessagingModule.forRoot({ service: 'provisioning' }),
        AccessModule,
        ProvisioningModule.register(readConfig(ProvisioningConfig, { DATABASE_URL: 'file::memory:', ...env })),
      ],
      controllers: [RegistryOfTests, AuthOfTests],
    })
    class Root {}
    const config = ServiceConfig.parse({ HOST: '127.0.0.1', PORT: 0, TRUST_PROXY: trustProxy });
    app = await createService({ name: 'provisioning', module: Root, config, logger, rpc: rpcServer });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
  }

  /** As a device does it: a GET that may have a body, which fetch does not send. */
  async function get(query = '', body?: string, headers: Record<string, string> = {}): Promise<Reply> {
    const url = `${(await app?.getUrl()) ?? ''}/debug/provisioning${query}`;
    return new Promise((resolve, reject) => {
      const sending = request(url, { method: 'GET', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const { 'content-type': type, 'retry-after': retryAfter } = response.headers;
          resolve({ status: response.statusCode, type, retryAfter, body: JSON.parse(text) as Record<string, unknown> });
        });
      });
      sending.on('error', reject);
      sending.end(body);
    });
  }
  const getWithBody = (body: unknown, query = '') => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return get(query, text, { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(text)) });
  };

  test('gives the access token of the MAC address in the body, as the document has it', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    const reply = await getWithBody({ 'mac-address': 'CE:13:14:15' });
    expect(reply).toMatchObject({ status: 200, body: { 'access-token': 'token of CE:13:14:15' } });
    expect(Object.keys(reply.body)).toEqual(['access-token']);
    expect(reply.type).toContain('application/json');
  });

  test('takes a body that comes in chunks', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    const reply = await get('', '{"mac-address":"CE:13"}', {
      'Content-Type': 'application/json',
      'Transfer-Encoding': 'chunked',
    });
    expect(reply.body).toEqual({ 'access-token': 'token of CE:13' });
  });

  test('takes a body that does not name its type, or names the one that curl gives it', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    const body = '{"mac-address":"CE:13"}';
    for (const type of ['', 'application/x-www-form-urlencoded']) {
      const named: Record<string, string> = type === '' ? {} : { 'Content-Type': type };
      const reply = await get('', body, { ...named, 'Content-Length': String(body.length) });
      expect(reply).toMatchObject({ status: 200, body: { 'access-token': 'token of CE:13' } });
    }
  });

  test('takes the MAC address in the query, in any notation', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    for (const mac of ['CE:13:14:15', 'ce-13-14-15', 'CE131415', 'ce13.1415']) {
      const reply = await get(`?mac-address=${encodeURIComponent(mac)}`);
      expect(reply).toMatchObject({ status: 200, body: { 'access-token': 'token of CE:13:14:15' } });
    }
    expect((await getWithBody({ 'mac-address': 'CE:13' }, '?mac-address=ce13')).status).toBe(200);
  });

  test('says that a MAC address is needed, and how to send it', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    for (const reply of [await get(), await getWithBody({})]) {
      expect(reply).toMatchObject({ status: 422, type: expect.stringContaining('application/problem+json') });
      expect(reply.body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: '/mac-address' }] });
      expect(reply.body['detail']).toContain('{"mac-address": "CE:13:14:15"}');
    }
  });

  test.each<[string, number, unknown, string]>([
    ['no hex pairs', 422, { 'mac-address': 'CE:1' }, ''],
    ['nothing', 422, { 'mac-address': '' }, ''],
    ['a number', 422, { 'mac-address': 13 }, ''],
    ['null', 422, { 'mac-address': null }, ''],
    ['an operator', 422, { 'mac-address': { $gt: '' } }, ''],
    ['SQL', 422, { 'mac-address': "CE' OR '1'='1" }, ''],
    ['21 pairs', 422, { 'mac-address': 'CE'.repeat(21) }, ''],
    ['a field too many', 422, { 'mac-address': 'CE', name: 'x' }, ''],
    ['a list', 422, ['CE'], ''],
    ['two different ones', 422, { 'mac-address': 'CE:13' }, '?mac-address=CE:14'],
    ['two in the query', 422, {}, '?mac-address=CE:13&mac-address=CE:14'],
    ['another parameter', 422, {}, '?mac=CE:13'],
    ['broken JSON', 400, '{"mac-address":', ''],
  ])('refuses %s', async (_what, status, body, query) => {
    await start({ DEBUG_PROVISIONING: 'on' });
    const reply = await getWithBody(body, query);
    expect(reply).toMatchObject({ status, type: expect.stringContaining('application/problem+json') });
    expect(reply.body['code']).toBe(status === 400 ? 'MALFORMED_JSON' : 'INVALID_INPUT');
  });

  test('is off unless it is switched on', async () => {
    for (const env of [{}, { DEBUG_PROVISIONING: 'off' }]) {
      await start(env as Record<string, string>);
      for (const reply of [await getWithBody({ 'mac-address': 'CE:13:14:15' }), await get()]) {
        expect(reply).toMatchObject({ status: 403, body: { code: 'DEBUG_PROVISIONING_OFF' } });
        expect(reply.body['detail']).toContain('DEBUG_PROVISIONING=on');
      }
      await app?.close();
    }
    app = undefined;
  });

  test('has a rate for each address, and says when to try again', async () => {
    await start({ DEBUG_PROVISIONING: 'on', PROVISIONING_RATE: '3' }, 1);
    const from = (address: string) => get('?mac-address=CE', undefined, { 'X-Forwarded-For': address });
    for (let i = 0; i < 3; i += 1) expect((await from('10.0.0.1')).status).toBe(200);
    const refused = await from('10.0.0.1');
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    expect((await from('10.0.0.2')).status).toBe(200);
  });

  test('does not believe an address that no proxy vouches for', async () => {
    await start({ DEBUG_PROVISIONING: 'on', PROVISIONING_RATE: '1' });
    const from = (address: string) => get('?mac-address=CE', undefined, { 'X-Forwarded-For': address });
    expect([(await from('10.0.0.1')).status, (await from('10.0.0.2')).status]).toEqual([200, 429]);
  });

  test('passes on that the registry is away', async () => {
    await start({ DEBUG_PROVISIONING: 'on' });
    expect(await get('?mac-address=DE:AD')).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'UNAVAILABLE' },
    });
  });

  test('is not started with a rate that is none', () => {
    expect(() => readConfig(ProvisioningConfig, { PROVISIONING_RATE: '0' })).toThrow(/PROVISIONING_RATE/);
    expect(() => readConfig(ProvisioningConfig, { DEBUG_PROVISIONING: 'yes' })).toThrow(/DEBUG_PROVISIONING/);
  });
});
