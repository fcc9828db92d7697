import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SelfProvisioning, SelfProvisioningReply } from '#contracts';
import { ENDED, FAN, PUMP } from '../../device-registry/test/certificates.ts';
import { ProvisioningKeyEntity } from '../../provisioning/src/provisioning-keys/provisioning-key.entity.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { person, startWaysIn, type Caller, type Json, type StartedWaysIn } from './started-ways-in.ts';

type Asked = Partial<Omit<SelfProvisioning, 'address'>>;

onEveryDatabase('devices that provision themselves with a key', (databaseUrl) => {
  const admin = person('admin');
  let services: StartedWaysIn;
  beforeAll(async () => {
    services = await startWaysIn(databaseUrl);
  });
  afterAll(() => services.stop());

  const newKey = async (options: object = {}, who: Caller = admin): Promise<Json> =>
    (await services.call(who, 'POST /api/provisioning/keys', { name: 'fleet', ...options })).body;
  const provision = ({ id, key }: Json, asked: Asked = {}): Promise<SelfProvisioningReply> =>
    services.rpc.call('provisioning.selfProvision', {
      address: '10.0.0.1',
      deviceName: randomUUID(),
      provisionDeviceKey: id,
      provisionDeviceSecret: key,
      ...asked,
    });
  const statusOf = async (key: Json, asked?: Asked) => (await provision(key, asked)).status;
  const credentialsOf = async (key: Json, asked?: Asked): Promise<unknown> => {
    const reply = await provision(key, asked);
    return reply.status === 'SUCCESS' ? reply.credentialsValue : reply.errorMsg;
  };
  const verify = (brought: { clientId?: string; userName?: string; password?: string }) =>
    services.rpc.call('registry.credentials.verify', { kind: 'mqtt', clientId: '', ...brought });
  const deviceOfToken = async (token: unknown) => (await verify({ userName: String(token) })).device;
  const usesOf = async ({ id }: Json) =>
    (await services.call(admin, 'GET /api/provisioning/keys?limit=200')).body.items.find((key) => key.id === id)?.uses;

  test('get a token of our making, for the customer of the key', async () => {
    const customer = await services.call(admin, 'POST /api/customers', { number: randomUUID(), name: 'A' });
    const key = await newKey({ customer: customer.body.id });
    const deviceName = randomUUID();
    const reply = await provision(key, { deviceName, gateway: true });
    expect(reply).toEqual({
      status: 'SUCCESS',
      credentialsType: 'ACCESS_TOKEN',
      credentialsValue: expect.stringMatching(/^[\w-]{32}$/),
    });
    const device = await deviceOfToken(await credentialsOf(key, { deviceName }));
    expect(device).toMatchObject({ name: deviceName, kind: 'gateway', customerId: customer.body.id, ownerId: null });
    const audit = await services.call(admin, `GET /api/audit?subject=${device.id}`);
    expect(audit.body.items).toMatchObject([
      { action: 'device.created', actor: { kind: 'provisioning-key', id: key.id } },
    ]);
  });

  test('get the token, the user name and password, or the certificate that they ask for', async () => {
    const key = await newKey();
    const token = randomUUID();
    expect(await provision(key, { credentialsType: 'ACCESS_TOKEN', token })).toMatchObject({ credentialsValue: token });
    expect(await deviceOfToken(token)).toMatchObject({ kind: 'direct', state: 'provisioned' });
    const [clientId, username] = [randomUUID(), randomUUID()];
    const basic = { credentialsType: 'MQTT_BASIC', clientId, username, password: 'secret' } as const;
    expect(await provision(key, basic)).toEqual({
      status: 'SUCCESS',
      credentialsType: 'MQTT_BASIC',
      credentialsValue: { clientId, userName: username, password: 'secret' },
    });
    expect((await verify({ clientId, userName: username, password: 'secret' })).device.state).toBe('provisioned');
    const body = FAN.pem.split('\n').slice(1, -2).join('');
    const certificates = [
      { hash: PUMP.pem, fingerprint: PUMP.fingerprint },
      { hash: body, fingerprint: FAN.fingerprint },
    ];
    for (const { hash, fingerprint } of certificates) {
      const asked = { deviceName: randomUUID(), credentialsType: 'X509_CERTIFICATE', hash } as const;
      expect(await provision(key, asked)).toMatchObject({ status: 'SUCCESS', credentialsValue: hash });
      const { device } = await services.rpc.call('registry.credentials.verify', { kind: 'certificate', fingerprint });
      expect(device.name).toBe(asked.deviceName);
    }
  });

  test('get a name of twenty letters and digits if they give none', async () => {
    const key = await newKey();
    const names = new Set<string>();
    for (const deviceName of [undefined, '', ' ']) {
      const { name } = await deviceOfToken(await credentialsOf(key, { deviceName }));
      expect(name).toMatch(/^[A-Za-z0-9]{20}$/);
      names.add(name);
    }
    expect(names.size).toBe(3);
  });

  test('are not found with a key that is none, that is over, used up or revoked, or with a wrong secret', async () => {
    const [key, used, over, revoked] = [
      await newKey(),
      await newKey({ maxUses: 1 }),
      await newKey({ expiresAt: Date.now() + 60_000 }),
      await newKey(),
    ];
    expect(await statusOf(used)).toBe('SUCCESS');
    await services.call(admin, `DELETE /api/provisioning/keys/${revoked.id}`);
    for (const [wrong, message] of [
      [{ ...key, id: randomUUID() }, 'not valid'],
      [{ ...key, id: 'x' }, 'not valid'],
      [{ ...key, key: '' }, 'not valid'],
      [{ ...key, key: `${key.key}x` }, 'not valid'],
      [{ ...key, key: used.key }, 'not valid'],
      [revoked, 'not valid'],
      [used, 'as many as it may'],
    ] as const) {
      expect(await provision(wrong)).toEqual({ status: 'NOT_FOUND', errorMsg: expect.stringContaining(message) });
    }
    await services.provisioning.manager.update(ProvisioningKeyEntity, { id: over.id }, { expiresAt: new Date(1) });
    expect(await provision(over)).toEqual({ status: 'NOT_FOUND', errorMsg: expect.stringContaining('expired') });
    expect(await statusOf({ ...key, id: key.id.toUpperCase() })).toBe('SUCCESS');
  });

  test.each<[string, Asked]>([
    ['a name that is none', { deviceName: 'a\nb' }],
    ['a name that is too long', { deviceName: 'x'.repeat(129) }],
    ['a certificate that is none', { credentialsType: 'X509_CERTIFICATE', hash: 'x' }],
    ['no certificate', { credentialsType: 'X509_CERTIFICATE' }],
    ['a certificate whose time is over', { credentialsType: 'X509_CERTIFICATE', hash: ENDED.pem }],
    ['neither client id nor user name', { credentialsType: 'MQTT_BASIC', password: 'x' }],
    ['a token with a dot', { credentialsType: 'ACCESS_TOKEN', token: 'a.b' }],
    ['a token that is too long', { credentialsType: 'ACCESS_TOKEN', token: 'x'.repeat(129) }],
  ])('fail with %s, are told why, and cost no use of the key', async (_what, asked) => {
    const key = await newKey({ maxUses: 1 });
    expect(await provision(key, asked)).toEqual({ status: 'FAILURE', errorMsg: expect.stringMatching(/./) });
    expect(await usesOf(key)).toBe(0);
  });

  test('fail where the name is taken, the credentials are in use, or the customer is full', async () => {
    const { body: customer } = await services.call(admin, 'POST /api/customers', {
      number: randomUUID(),
      name: 'A',
      deviceLimit: 1,
    });
    const [key, ofFull] = [await newKey(), await newKey({ customer: customer.id })];
    const [deviceName, token] = [randomUUID(), randomUUID()];
    await provision(key, { deviceName, token });
    expect(await provision(await newKey(), { deviceName })).toMatchObject({ status: 'FAILURE' });
    expect(await provision(key, { token })).toMatchObject({ status: 'FAILURE' });
    expect([await statusOf(ofFull), await statusOf(ofFull)]).toEqual(['SUCCESS', 'FAILURE']);
    expect([await usesOf(key), await usesOf(ofFull)]).toEqual([1, 1]);
  });

  test('are let in again until they were heard, at the cost of one use; then they are told the way back', async () => {
    const key = await newKey({ maxUses: 1 });
    const deviceName = randomUUID();
    const tokens = await Promise.all(Array.from({ length: 50 }, () => credentialsOf(key, { deviceName })));
    expect(new Set(tokens).size).toBe(1);
    expect(await usesOf(key)).toBe(1);
    const { id } = await deviceOfToken(tokens[0]);
    await services.rpc.call('registry.devices.heard', { deviceId: id });
    const refused = await provision(key, { deviceName });
    expect(refused).toEqual({ status: 'FAILURE', errorMsg: expect.stringContaining('POST /api/devices/:id/reset') });
    await services.call(admin, `POST /api/devices/${id}/reset`);
    expect((await deviceOfToken(await credentialsOf(key, { deviceName }))).id).toBe(id);
    expect(await usesOf(key)).toBe(1);
  });

  test('of fifty that come at once, as many get in as the key lets in', async () => {
    const key = await newKey({ maxUses: 5 });
    const statuses = await Promise.all(Array.from({ length: 50 }, () => statusOf(key)));
    expect(statuses.filter((status) => status === 'SUCCESS')).toHaveLength(5);
    expect(statuses.filter((status) => status === 'NOT_FOUND')).toHaveLength(45);
    expect(await usesOf(key)).toBe(5);
  });
});

describe('devices that provision themselves too often', () => {
  test('are told when to try again, whatever key they bring', async () => {
    const services = await startWaysIn(() => Promise.resolve('file::memory:'), { PROVISIONING_RATE: '2' });
    const ask = (address: string) =>
      services.rpc.call('provisioning.selfProvision', {
        address,
        provisionDeviceKey: 'x',
        provisionDeviceSecret: 'y',
      });
    for (const _time of [1, 2]) expect((await ask('10.0.0.1')).status).toBe('NOT_FOUND');
    await expect(ask('10.0.0.1')).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
    expect((await ask('10.0.0.2')).status).toBe('NOT_FOUND');
    await services.stop();
  });
});
