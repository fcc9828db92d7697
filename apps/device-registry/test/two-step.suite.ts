import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DevicePrincipal } from '#contracts';
import { waitUntil } from '#testing';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { CredentialEntity } from '../src/credentials/credential.entity.ts';
import { DeviceEntity } from '../src/devices/device.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

const MAC = '44:8A:5B:9C:70:93';

/** What the registry promises of the two steps by which a device gets a password. */
export function twoStepSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newCustomer = async (deviceLimit: number | null = null): Promise<Json> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } }))
      .body;
  const newDevice = async (document: object): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: 'Prepared', ...document } })).body;
  const get = async (id: string): Promise<Json> => (await registry.call(admin, `GET /api/devices/${id}`)).body;
  const countOf = async ({ id }: Json): Promise<number> =>
    (await registry.call(admin, `GET /api/customers/${id}`)).body.deviceCount;
  const register = (customerNumber: string, macAddress = MAC) =>
    registry.rpc.call('registry.twoStep.register', { customerNumber, macAddress });
  const activate = (customerNumber: string, password: string, macAddress = MAC) =>
    registry.rpc.call('registry.twoStep.activate', { customerNumber, macAddress, password });
  const verify = (number: string, password: string, mac = MAC): Promise<DevicePrincipal> =>
    registry.rpc.call('registry.credentials.verify', { kind: 'password', userName: `${number}/${mac}`, password });
  const reset = (id: string, who = admin) => registry.call(who, `POST /api/devices/${id}/reset`);
  const actionsOf = async (subjectId: string): Promise<string[]> =>
    (await registry.dataSource.manager.find(AuditEntryEntity, { where: { subjectId }, order: { id: 'ASC' } })).map(
      ({ action }) => action,
    );

  test('a device gets a password that works once it is activated', async () => {
    const customer = await newCustomer();
    const { deviceId, password } = await register(customer.number, '448a.5b9c.7093');
    expect(password).toMatch(/^[\w-]{32}$/);
    expect(await get(deviceId)).toMatchObject({
      name: `${customer.number}/${MAC}`,
      kind: 'direct',
      macAddress: MAC,
      customer: customer.id,
      state: 'provisioned',
      activatedAt: null,
    });
    await expect(verify(customer.number, password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect(await activate(customer.number, password)).toEqual({ deviceId });
    expect(await get(deviceId)).toMatchObject({ state: 'active', activatedAt: expect.any(Number) });
    for (const mac of [MAC, '44-8a-5b-9c-70-93', '448A5B9C7093']) {
      expect((await verify(customer.number, password, mac)).device).toMatchObject({ id: deviceId, state: 'active' });
    }
    expect(await actionsOf(deviceId)).toEqual(['device.created', 'device.activated']);
    const heard = registry.heard('registry.device.changed').filter(({ device }) => device.id === deviceId);
    expect(heard.map(({ change, device }) => [change, device.state])).toEqual([
      ['created', 'provisioned'],
      ['updated', 'active'],
    ]);
  });

  test('a new password before activation voids the one before', async () => {
    const customer = await newCustomer(1);
    const first = await register(customer.number);
    const second = await register(customer.number, MAC.toLowerCase());
    expect(second.deviceId).toBe(first.deviceId);
    await expect(activate(customer.number, first.password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await activate(customer.number, second.password);
    await expect(verify(customer.number, first.password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect(await countOf(customer)).toBe(1);
  });

  test('activation a second time has no effect, and with another password is refused', async () => {
    const { number } = await newCustomer();
    const { deviceId, password } = await register(number);
    await activate(number, password);
    const before = await get(deviceId);
    expect(await activate(number, password)).toEqual({ deviceId });
    expect(await get(deviceId)).toEqual(before);
    for (const wrong of ['another', password.toUpperCase(), ` ${password}`, `${password} `]) {
      await expect(activate(number, wrong)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    }
    expect((await verify(number, password)).device.id).toBe(deviceId);
  });

  test('after activation nobody can register the device again', async () => {
    const { number } = await newCustomer();
    const { password } = await register(number);
    await activate(number, password);
    await expect(register(number)).rejects.toMatchObject({ code: 'ALREADY_ACTIVATED' });
    expect((await verify(number, password)).device.state).toBe('active');
  });

  test('a customer that nobody knows, and a device that did not register, are refused', async () => {
    const { number } = await newCustomer();
    await expect(register(randomUUID())).rejects.toMatchObject({ code: 'CUSTOMER_UNKNOWN' });
    await expect(activate(randomUUID(), 'x')).rejects.toMatchObject({ code: 'CUSTOMER_UNKNOWN' });
    await expect(register(number.toUpperCase() + 'X')).rejects.toMatchObject({ code: 'CUSTOMER_UNKNOWN' });
    await expect(register(`' OR '1'='1`)).rejects.toMatchObject({ code: 'CUSTOMER_UNKNOWN' });
    await expect(activate(number, 'x')).rejects.toMatchObject({ code: 'NOT_REGISTERED' });
    await expect(register(number, 'xy')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('fifty devices at once do not exceed the limit, and more may come once it is raised', async () => {
    const customer = await newCustomer(10);
    const macs = Array.from({ length: 50 }, (_, index) => `AA:${(index + 16).toString(16)}`);
    const asked = await Promise.allSettled(macs.map((mac) => register(customer.number, mac)));
    const given = asked.filter(({ status }) => status === 'fulfilled');
    const refused = asked.filter((result) => result.status === 'rejected');
    expect(given).toHaveLength(10);
    expect(new Set(refused.map(({ reason }) => (reason as { code: string }).code))).toEqual(
      new Set(['DEVICE_LIMIT_REACHED']),
    );
    expect(await countOf(customer)).toBe(10);
    expect(await registry.dataSource.manager.countBy(DeviceEntity, { customerId: customer.id })).toBe(10);
    await registry.call(admin, `PATCH /api/customers/${customer.id}`, { body: { deviceLimit: 11 } });
    const late = macs[asked.findIndex(({ status }) => status === 'rejected')] ?? '';
    expect((await register(customer.number, late)).password).toBeDefined();
  });

  test('one device fifty times at once is one device, whose last password alone can be activated', async () => {
    const customer = await newCustomer(1);
    const given = await Promise.all(Array.from({ length: 50 }, () => register(customer.number)));
    expect(new Set(given.map(({ deviceId }) => deviceId)).size).toBe(1);
    expect(new Set(given.map(({ password }) => password)).size).toBe(50);
    expect(await countOf(customer)).toBe(1);
    expect(await registry.dataSource.manager.countBy(DeviceEntity, { customerId: customer.id })).toBe(1);
    expect(await registry.dataSource.manager.countBy(CredentialEntity, { deviceId: given[0]?.deviceId ?? '' })).toBe(1);
    const tried = await Promise.allSettled(given.map(({ password }) => activate(customer.number, password)));
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { password } = given[tried.findIndex(({ status }) => status === 'fulfilled')] ?? { password: '' };
    const again = await Promise.all(Array.from({ length: 50 }, () => activate(customer.number, password)));
    expect(again).toHaveLength(50);
    expect((await actionsOf(given[0]?.deviceId ?? '')).filter((action) => action === 'device.activated')).toHaveLength(
      1,
    );
  });

  test('the same MAC address of another customer is another device', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    const [first, second] = [await register(one.number), await register(other.number)];
    expect(second.deviceId).not.toBe(first.deviceId);
    await expect(activate(other.number, first.password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await activate(one.number, first.password);
    await expect(verify(other.number, first.password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
  });

  test('a device that was made beforehand is used, and keeps its name and kind', async () => {
    const customer = await newCustomer(1);
    const prepared = await newDevice({ customer: customer.id, macAddress: MAC, kind: 'gateway' });
    const { deviceId, password } = await register(customer.number);
    expect(deviceId).toBe(prepared.id);
    await activate(customer.number, password);
    expect(await get(deviceId)).toMatchObject({ name: 'Prepared', kind: 'gateway', state: 'active' });
    expect(await actionsOf(deviceId)).toEqual(['device.created', 'device.registered', 'device.activated']);
  });

  test('a device that has other credentials is not given away to whoever knows its numbers', async () => {
    const customer = await newCustomer();
    const prepared = await newDevice({ customer: customer.id, macAddress: MAC });
    await registry.call(admin, `POST /api/devices/${prepared.id}/credentials`);
    await expect(register(customer.number)).rejects.toMatchObject({ code: 'ALREADY_ACTIVATED' });
    await reset(prepared.id);
    expect((await register(customer.number)).deviceId).toBe(prepared.id);
  });

  test('a device that is switched off is refused, with its reason', async () => {
    const customer = await newCustomer();
    const { deviceId, password } = await register(customer.number);
    await registry.call(admin, `PATCH /api/devices/${deviceId}`, { body: { enabled: false } });
    await expect(register(customer.number)).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
    await expect(activate(customer.number, password)).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
    await registry.call(admin, `PATCH /api/devices/${deviceId}`, { body: { enabled: true } });
    await activate(customer.number, password);
  });

  test('no password is kept, nor told in the trail', async () => {
    const { number } = await newCustomer();
    const { password } = await register(number);
    const kept = await registry.dataSource.manager.find(CredentialEntity);
    const trail = await registry.dataSource.manager.find(AuditEntryEntity);
    expect(JSON.stringify([kept, trail])).not.toContain(password);
  });

  test('a reset ends all credentials at once and opens registration again; owner and history stay', async () => {
    const customer = await newCustomer(1);
    const { deviceId, password } = await register(customer.number);
    await activate(customer.number, password);
    const token = (await registry.call(admin, `POST /api/devices/${deviceId}/credentials`)).body.accessToken;
    expect((await reset(deviceId)).status).toBe(204);
    await expect(verify(customer.number, password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await expect(registry.rpc.call('registry.credentials.verify', { kind: 'token', token })).rejects.toMatchObject({
      code: 'BAD_CREDENTIALS',
    });
    const ended = () =>
      registry
        .heard('registry.credentials.revoked')
        .some((event) => event.deviceId === deviceId && event.credentialId === null);
    await waitUntil(ended, { what: 'everybody is told' });
    expect(await get(deviceId)).toMatchObject({ state: 'created', activatedAt: null, customer: customer.id });
    const again = await register(customer.number);
    expect(again.deviceId).toBe(deviceId);
    await expect(activate(customer.number, password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await activate(customer.number, again.password);
    expect((await verify(customer.number, again.password)).device.id).toBe(deviceId);
    expect(await countOf(customer)).toBe(1);
    expect(await actionsOf(deviceId)).toEqual([
      'device.created',
      'device.activated',
      'device.reset',
      'device.registered',
      'device.activated',
    ]);
  });

  test('a second reset has no effect, and one of a device that provisioned itself gives it another token', async () => {
    const provision = () => registry.rpc.call('registry.devices.provisionByMac', { macAddress: 'B0:01' });
    const { device, accessToken } = await provision();
    await reset(device.id);
    const after = await get(device.id);
    expect((await reset(device.id)).status).toBe(204);
    expect(await get(device.id)).toEqual(after);
    expect(await actionsOf(device.id)).toEqual(['device.created', 'device.reset']);
    const again = await provision();
    expect(again.device.id).toBe(device.id);
    expect(again.accessToken).not.toBe(accessToken);
  });

  test('a reset is for those who manage the device', async () => {
    const customer = await newCustomer();
    const { deviceId } = await register(customer.number);
    const [operator, stranger, user] = [
      person('operator', customer.id),
      person('operator', randomUUID()),
      person('user', customer.id),
    ];
    for (const who of [stranger, user]) expect((await reset(deviceId, who)).body.code).toBe('NOT_FOUND');
    expect((await reset(randomUUID())).body.code).toBe('NOT_FOUND');
    expect((await reset('x')).body.code).toBe('INVALID_INPUT');
    expect((await registry.call(undefined, `POST /api/devices/${deviceId}/reset`)).status).toBe(401);
    expect((await reset(deviceId, operator)).status).toBe(204);
  });

  test('a device of which readings are heard is active, once however often that is told', async () => {
    const { id } = await newDevice({});
    const heard = () => registry.rpc.call('registry.devices.heard', { deviceId: id });
    await Promise.all(Array.from({ length: 20 }, heard));
    const active = await get(id);
    expect(active).toMatchObject({ state: 'active', activatedAt: expect.any(Number) });
    await heard();
    expect(await get(id)).toEqual(active);
    expect(await actionsOf(id)).toEqual(['device.created', 'device.activated']);
    const told = registry.heard('registry.device.changed').filter(({ device }) => device.id === id);
    expect(told.map(({ change, device }) => [change, device.state])).toEqual([
      ['created', 'created'],
      ['updated', 'active'],
    ]);
    await expect(registry.rpc.call('registry.devices.heard', { deviceId: randomUUID() })).resolves.toEqual({});
  });
}
