import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { DeviceEntity } from '../src/devices/device.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of devices that bring a uuid of their own. */
export function uuidDevicesSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  interface More {
    kind?: 'master' | 'agent';
    masterUuid?: string;
    onlyKnown?: boolean;
  }
  const request = (uuid: string, more: More = {}) =>
    registry.rpc.call('registry.devices.requestByUuid', { uuid, kind: 'agent', onlyKnown: false, ...more });
  const newMaster = async (): Promise<string> => (await request(randomUUID(), { kind: 'master' })).device.id;
  const newDevice = async (document: object): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: 'Prepared', ...document } })).body;
  const patch = (id: string, body: object) => registry.call(admin, `PATCH /api/devices/${id}`, { body });
  const get = async (id: string): Promise<Json> => (await registry.call(admin, `GET /api/devices/${id}`)).body;
  const credentialsOf = async (id: string): Promise<Json[]> =>
    (await registry.call(admin, `GET /api/devices/${id}/credentials`)).body.items;
  const verify = (token: string) => registry.rpc.call('registry.credentials.verify', { kind: 'token', token });

  test('a uuid gets a device of that id and a token that says whose it is', async () => {
    const uuid = randomUUID();
    const { device, token, expiresAt } = await request(uuid.toUpperCase(), { kind: 'master' });
    expect(device).toMatchObject({ id: uuid, name: uuid, kind: 'master', customerId: null, state: 'provisioned' });
    expect(await verify(token)).toMatchObject({ device: { id: uuid }, expiresAt });
    expect(await credentialsOf(uuid)).toMatchObject([{ kind: 'device-jwt', expiresAt: null }]);
  });

  test('whoever lost the reply asks again: the same device, the same credential', async () => {
    const uuid = randomUUID();
    const [first, second] = [await request(uuid), await request(uuid)];
    expect(second.device).toEqual(first.device);
    for (const { token } of [first, second]) expect((await verify(token)).device.id).toBe(uuid);
    expect(jwt.decode(second.token, { json: true })?.jti).toBe(jwt.decode(first.token, { json: true })?.jti);
    expect(await credentialsOf(uuid)).toHaveLength(1);
  });

  test('fifty at once make one device with one credential', async () => {
    const uuid = randomUUID();
    const given = await Promise.all(Array.from({ length: 50 }, () => request(uuid)));
    expect(new Set(given.map(({ token }) => jwt.decode(token, { json: true })?.jti)).size).toBe(1);
    expect(await credentialsOf(uuid)).toHaveLength(1);
    const told = registry.heard('registry.device.changed').filter(({ device }) => device.id === uuid);
    expect(told.map(({ change }) => change)).toEqual(['created']);
  });

  test('a revoked credential ends all its tokens, and the next request gets another one', async () => {
    const uuid = randomUUID();
    const tokens = [(await request(uuid)).token, (await request(uuid)).token];
    const [credential] = await credentialsOf(uuid);
    await registry.call(admin, `DELETE /api/devices/${uuid}/credentials/${credential?.id ?? ''}`);
    for (const token of tokens) await expect(verify(token)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect((await verify((await request(uuid)).token)).credentialId).not.toBe(credential?.id);
  });

  test('a rotated credential goes on for its overlap, and requests get its successor', async () => {
    const uuid = randomUUID();
    const { token } = await request(uuid);
    const [old] = await credentialsOf(uuid);
    const rotated = await registry.call(admin, `POST /api/devices/${uuid}/credentials/${old?.id ?? ''}/rotate`, {
      body: { overlapSeconds: 600 },
    });
    expect((await verify(token)).credentialId).toBe(old?.id);
    expect((await verify((await request(uuid)).token)).credentialId).toBe(rotated.body.id);
    expect(await credentialsOf(uuid)).toHaveLength(2);
  });

  test('only those that are known may ask, where that is wanted', async () => {
    const uuid = randomUUID();
    await expect(request(uuid, { onlyKnown: true })).rejects.toMatchObject({ code: 'NOT_REGISTERED' });
    expect(await registry.dataSource.manager.existsBy(DeviceEntity, { id: uuid })).toBe(false);
    const prepared = await newDevice({ kind: 'agent' });
    const { device } = await request(prepared.id, { onlyKnown: true });
    expect(device).toMatchObject({ id: prepared.id, name: 'Prepared', state: 'provisioned' });
    await registry.rpc.call('registry.devices.heard', { deviceId: prepared.id });
    expect((await request(prepared.id)).device.state).toBe('active');
  });

  test.each(['direct', 'gateway', 'master'] as const)('a %s is never taken over as an agent', async (kind) => {
    const { id } = await newDevice({ kind });
    await expect(request(id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await credentialsOf(id)).toEqual([]);
    expect(await get(id)).toMatchObject({ kind, state: 'created' });
  });

  test('an agent is never taken over as a master, and one that is switched off gets nothing', async () => {
    const uuid = randomUUID();
    const { token } = await request(uuid);
    await expect(request(uuid, { kind: 'master' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await patch(uuid, { enabled: false });
    await expect(request(uuid)).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
    await expect(verify(token)).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
  });

  test('an agent names its master once; from then on an administrator decides', async () => {
    const [one, other] = [await newMaster(), await newMaster()];
    const uuid = randomUUID();
    expect((await request(uuid)).device.masterId).toBeNull();
    expect((await request(uuid, { masterUuid: one.toUpperCase() })).device.masterId).toBe(one);
    expect((await request(uuid, { masterUuid: one })).device.masterId).toBe(one);
    expect((await request(uuid)).device.masterId).toBe(one);
    await expect(request(uuid, { masterUuid: other })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await patch(uuid, { master: other })).status).toBe(200);
    expect((await request(uuid, { masterUuid: other })).device.masterId).toBe(other);
    await expect(request(uuid, { masterUuid: one })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const born = await request(randomUUID(), { masterUuid: one });
    expect(born.device.masterId).toBe(one);
  });

  test('a master that nobody knows, or that is none, is refused, and nothing is made', async () => {
    const gateway = await newDevice({ kind: 'gateway' });
    const agent = (await request(randomUUID())).device.id;
    const uuid = randomUUID();
    for (const masterUuid of [randomUUID(), gateway.id, agent, uuid]) {
      await expect(request(uuid, { masterUuid })).rejects.toMatchObject({ code: 'NOT_REGISTERED' });
    }
    expect(await registry.dataSource.manager.existsBy(DeviceEntity, { id: uuid })).toBe(false);
  });

  test('an agent of a customer does not get a master of another one', async () => {
    const customer = (
      await registry.call(admin, 'POST /api/customers', {
        body: { number: randomUUID(), name: 'A', deviceLimit: null },
      })
    ).body.id;
    const agent = await newDevice({ kind: 'agent', customer });
    const master = await newMaster();
    await expect(request(agent.id, { masterUuid: master })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await patch(master, { customer });
    expect((await request(agent.id, { masterUuid: master })).device.masterId).toBe(master);
  });
}
