import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of devices behind gateways, and of the profiles that they name. */
export function childrenSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newDevice = async (document: object = {}, who: Person = admin): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: { name: randomUUID(), ...document } })).body;
  const newGateway = (who?: Person, document: object = {}) => newDevice({ kind: 'gateway', ...document }, who);
  const newCustomer = async (deviceLimit: number | null = null): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } })).body
      .id;
  const newProfile = async (document: object = {}): Promise<Json> =>
    (await registry.call(admin, 'POST /api/device-profiles', { body: { name: randomUUID(), ...document } })).body;
  const child = (gatewayId: string, name: string, profile?: string) =>
    registry.rpc.call('registry.devices.child', { gatewayId, name, profile });
  const profileOf = (id: string | null) => registry.rpc.call('registry.profiles.get', { id: id ?? '' });
  const ofProfile = async (profileId: string, limit: number, after?: string) =>
    (await registry.rpc.call('registry.devices.ofProfile', { profileId, limit, after })).devices;
  const trail = (subjectId: string) =>
    registry.dataSource.manager.find(AuditEntryEntity, { where: { subjectId }, order: { id: 'ASC' } });

  test('a device behind a gateway is made by its name, for those whom the gateway belongs to', async () => {
    const customer = await newCustomer();
    const owner = person('user', customer);
    const gateway = await newGateway(owner);
    const made = await child(gateway.id, ' Pump 1 ', 'Sensor');
    expect(made).toMatchObject({
      name: 'Pump 1',
      kind: 'direct',
      masterId: gateway.id,
      customerId: customer,
      ownerId: owner.principal.userId,
      state: 'provisioned',
    });
    expect((await registry.call(owner, `GET /api/devices/${made.id}`)).status).toBe(200);
    expect(await child(gateway.id, 'Pump 1')).toEqual(made);
    expect(await profileOf(made.profileId)).toEqual({ id: made.profileId, name: 'Sensor', inactivitySeconds: null });
    const [entry, ...others] = await trail(made.id);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ action: 'device.created', actorKind: 'device', actorId: gateway.id });
    expect(await trail(made.profileId ?? '')).toMatchObject([
      { action: 'device-profile.created', actorId: gateway.id },
    ]);
  });

  test('a name is for one device behind a gateway, with one profile, also when fifty ask at once', async () => {
    const [gateway, other] = [await newGateway(), await newGateway()];
    const profile = randomUUID();
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, i) => child(gateway.id, 'A', i % 2 === 0 ? profile : profile.toUpperCase())),
    );
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    const { items } = (await registry.call(admin, `GET /api/device-profiles?q=${profile}`)).body;
    expect(items).toHaveLength(1);
    expect((await child(other.id, 'A')).id).not.toBe(made[0]?.id);
    expect((await child(gateway.id, 'a')).id).not.toBe(made[0]?.id);
  });

  test('a device that is there keeps its profile, and takes nothing from its customer again', async () => {
    const customer = await newCustomer(2);
    const gateway = await newGateway(undefined, { customer });
    const made = await child(gateway.id, 'A', 'Sensor');
    expect(await child(gateway.id, 'A', 'Another')).toEqual(made);
    await expect(child(gateway.id, 'B')).rejects.toMatchObject({ code: 'DEVICE_LIMIT_REACHED' });
    expect(await child(gateway.id, 'A')).toEqual(made);
    expect((await registry.call(admin, `GET /api/customers/${customer}`)).body.deviceCount).toBe(2);
  });

  test.each(['direct', 'master', 'agent'])('there is nothing behind a device of the kind %s', async (kind) => {
    const { id } = await newDevice({ kind });
    await expect(child(id, 'A')).rejects.toMatchObject({ code: 'NOT_A_GATEWAY' });
  });

  test('there is nothing behind a gateway that is gone', async () => {
    const gateway = await newGateway();
    await registry.call(admin, `DELETE /api/devices/${gateway.id}`);
    await expect(child(gateway.id, 'A')).rejects.toMatchObject({ code: 'NOT_A_GATEWAY' });
  });

  test.each<{ name: string; profile?: string }>([
    { name: ' ' },
    { name: 'a\u0000b' },
    { name: '\ud800' },
    { name: 'A', profile: ' ' },
    { name: 'A', profile: 'a\nb' },
  ])('no device is made of %j', async ({ name, profile }) => {
    const gateway = await newGateway();
    await expect(child(gateway.id, name, profile)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await registry.call(admin, `GET /api/devices?master=${gateway.id}`)).body.items).toEqual([]);
  });

  test('a gateway acts for what is behind it by its id as by its name, and for nothing else', async () => {
    const [gateway, other] = [await newGateway(), await newGateway()];
    const { accessToken } = (await registry.call(admin, `POST /api/devices/${gateway.id}/credentials`)).body;
    const principal = await registry.rpc.call('registry.credentials.verify', {
      kind: 'mqtt',
      clientId: '',
      userName: accessToken,
    });
    const [own, others] = [await child(gateway.id, 'A'), await child(other.id, 'B')];
    const authorize = (device: string) =>
      registry.rpc.call('registry.devices.authorize', { principal, device, action: 'write' });
    for (const device of [own.id, 'A']) expect(await authorize(device)).toEqual(own);
    for (const device of [others.id, 'B', other.id]) {
      await expect(authorize(device)).rejects.toMatchObject({ code: 'DEVICE_NOT_ALLOWED' });
    }
  });

  test('the devices of a profile are told in pages, in the order of their ids', async () => {
    const [profile, other] = [await newProfile(), await newProfile()];
    const ids: string[] = [];
    for (const _device of [1, 2, 3, 4, 5]) ids.push((await newDevice({ profile: profile.id })).id);
    await newDevice({ profile: other.id });
    const first = await ofProfile(profile.id, 3);
    expect(first).toMatchObject(ids.slice(0, 3).map((id) => ({ id, profileId: profile.id })));
    const rest = await ofProfile(profile.id, 3, first[2]?.id);
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(3));
    expect(await ofProfile(profile.id, 3, rest[1]?.id)).toEqual([]);
    expect(await ofProfile(randomUUID(), 3)).toEqual([]);
  });

  test('a profile says how long its devices may be silent; one that is not there says nothing', async () => {
    const { id, name } = await newProfile({ inactivitySeconds: 600 });
    expect(await profileOf(id)).toEqual({ id, name, inactivitySeconds: 600 });
    expect(await profileOf(randomUUID())).toBeNull();
  });
}
