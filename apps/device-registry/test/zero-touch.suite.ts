import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RpcReply, RpcRequest } from '#contracts';
import { AssetEntity } from '../src/assets/asset.entity.ts';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { DeviceEntity } from '../src/devices/device.entity.ts';
import { AssetProfileEntity } from '../src/profiles/asset-profile.entity.ts';
import { DeviceProfileEntity } from '../src/profiles/device-profile.entity.ts';
import { RelationEntity } from '../src/relations/relation.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

type Asked = RpcRequest<'registry.devices.zeroTouch'>;
type Given = RpcReply<'registry.devices.zeroTouch'>;

const ACTOR = { kind: 'provisioning-key', id: randomUUID() } as const;
const BERN = { country: 'Switzerland', state: 'Bern', latitude: 46.9, longitude: 7.4 };

/** Devices that find their place by themselves. */
export function zeroTouchSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
    await insertProfile(DeviceProfileEntity, 'IoT-Gateway');
    for (const name of ['Country', 'State']) await insertProfile(AssetProfileEntity, name);
  });
  afterAll(() => registry.stop());

  const manager = () => registry.dataSource.manager;
  const insertProfile = async (
    entity: typeof DeviceProfileEntity | typeof AssetProfileEntity,
    name: string,
  ): Promise<string> => {
    const [id, at] = [randomUUID(), new Date()];
    const row = { id, name, sortName: name.toLowerCase(), description: null, attributes: {}, version: 1 };
    await manager().insert(entity, { ...row, createdAt: at, updatedAt: at });
    return id;
  };
  const profileNamed = async (name: string) =>
    (await manager().findOneByOrFail(AssetProfileEntity, { sortName: name.toLowerCase() })).id;
  const insertAsset = async (name: string, profile: string, customerId: string): Promise<string> => {
    const [id, at] = [randomUUID(), new Date()];
    const row = { id, name, sortName: name.toLowerCase(), profileId: await profileNamed(profile), customerId };
    const nowhere = { latitude: null, longitude: null, attributes: {}, identityKey: null, version: 1 };
    await manager().insert(AssetEntity, { ...row, ...nowhere, createdAt: at, updatedAt: at });
    return id;
  };
  const relate = async (fromId: string, toId: string, customerId: string): Promise<void> => {
    const to = { toId, toAssetId: toId, toDeviceId: null };
    await manager().insert(RelationEntity, {
      id: randomUUID(),
      fromId,
      ...to,
      type: 'Contains',
      customerId,
      createdAt: new Date(),
    });
  };
  const newCustomer = async (deviceLimit: number | null = null): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } })).body
      .id;
  const provision = (asked: Partial<Asked>): Promise<Given> =>
    registry.rpc.call(
      'registry.devices.zeroTouch',
      {
        actor: ACTOR,
        customerId: null,
        name: 'gateway',
        serial: 'S1',
        deviceProfile: 'IoT-Gateway',
        countryProfile: 'Country',
        stateProfile: 'State',
        place: BERN,
        ...asked,
      },
      20_000,
    );
  const containersOf = async (deviceId: string): Promise<string[]> =>
    (await manager().findBy(RelationEntity, { toDeviceId: deviceId, type: 'Contains' })).map(({ fromId }) => fromId);
  const assetsOf = (customerId: string) => manager().find(AssetEntity, { where: { customerId }, order: { id: 'ASC' } });
  const newDevice = async (document: object, who = admin): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: document })).body;

  test('a new device is made under its profile, in its state, in its country, with a token that works', async () => {
    const customerId = await newCustomer();
    const system = { os: 'Debian 13', cores: 4 };
    const given = await provision({ customerId, macAddress: 'ce-13-14-15', system });
    expect(given).toMatchObject({
      device: { name: 'gateway', kind: 'direct', customerId, ownerId: null, state: 'provisioned' },
      created: true,
      assets: [
        { name: 'Switzerland', profile: 'Country' },
        { name: 'Bern', profile: 'State' },
      ],
    });
    const [country, state] = given.assets;
    expect(await containersOf(given.device.id)).toEqual([state?.id]);
    expect(await manager().countBy(RelationEntity, { fromId: country?.id ?? '', toId: state?.id ?? '' })).toBe(1);
    const [outer, inner] = await assetsOf(customerId);
    expect([outer?.latitude, inner?.latitude, inner?.longitude]).toEqual([null, 46.9, 7.4]);
    const { body } = await registry.call(admin, `GET /api/devices/${given.device.id}`);
    expect(body).toMatchObject({ serial: 'S1', macAddress: 'CE:13:14:15', attributes: { system } });
    expect(body['profile']).toEqual(expect.any(String));
    const { accessToken: token } = given;
    const verified = await registry.rpc.call('registry.credentials.verify', { kind: 'token', token });
    expect(verified.device).toEqual(given.device);
  });

  test('asked again it is the same device with the same token, and nothing changes', async () => {
    const customerId = await newCustomer();
    const asked = { customerId, macAddress: 'CE:13', system: { zeta: [1, { b: 2, a: 1 }], alpha: 'x' } };
    const first = await provision(asked);
    const entries = await manager().count(AuditEntryEntity);
    for (const again of [asked, { ...asked, place: null }, { ...asked, macAddress: undefined }]) {
      const { assets: _assets, ...rest } = await provision(again);
      expect(rest).toEqual({ device: first.device, created: false, accessToken: first.accessToken });
    }
    expect(await manager().count(AuditEntryEntity)).toBe(entries);
    expect((await registry.call(admin, `GET /api/devices/${first.device.id}`)).body.version).toBe(1);
  });

  test('of fifty devices at once each is made once, in one country and one state', async () => {
    const customerId = await newCustomer();
    const ask = (n: number) => provision({ customerId, name: `pump ${String(n % 10)}`, serial: `S${String(n % 10)}` });
    const given = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n)));
    expect(new Set(given.map(({ device }) => device.id)).size).toBe(10);
    expect(new Set(given.map(({ accessToken }) => accessToken)).size).toBe(10);
    expect(given.filter(({ created }) => created)).toHaveLength(10);
    expect(await assetsOf(customerId)).toHaveLength(2);
    expect(await manager().countBy(DeviceEntity, { customerId })).toBe(10);
    expect((await registry.call(admin, `GET /api/customers/${customerId}`)).body.deviceCount).toBe(10);
  }, 60_000);

  test('of fifty without a customer and a place, one device is made for one serial number', async () => {
    const serial = randomUUID();
    const ask = () => provision({ name: serial, serial, place: null });
    const given = await Promise.all(Array.from({ length: 50 }, ask));
    expect(new Set(given.map(({ device }) => device.id)).size).toBe(1);
    expect(given.every(({ assets }) => assets.length === 0)).toBe(true);
    expect(await manager().countBy(DeviceEntity, { serial })).toBe(1);
  }, 60_000);

  test('of ten with one name and a serial number each, one gets the name', async () => {
    const customerId = await newCustomer();
    const ask = (n: number) => provision({ customerId, serial: `S${String(n)}` });
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => ask(n)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(9);
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ code: 'DEVICE_MISMATCH', errors: [{ path: '/serial' }] });
    }
  });

  test('the limit holds for fifty at once, and those refused leave nothing behind', async () => {
    const customerId = await newCustomer(3);
    const ask = (n: number) => provision({ customerId, name: `d${String(n)}`, serial: `S${String(n)}` });
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => ask(n)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'DEVICE_LIMIT_REACHED' });
    }
    expect(await manager().countBy(DeviceEntity, { customerId })).toBe(3);
    const full = await newCustomer(0);
    await expect(provision({ customerId: full })).rejects.toMatchObject({ code: 'DEVICE_LIMIT_REACHED' });
    expect(await assetsOf(full)).toEqual([]);
  }, 60_000);

  describe('a device that is known', () => {
    test('is found by MAC address, then serial number, then name, and gets what it lacks', async () => {
      const customer = await newCustomer();
      const customerId = customer;
      const byMac = await newDevice({ name: 'a', customer, macAddress: 'A0:01' });
      const bySerial = await newDevice({ name: 'b', customer, serial: 'S-B' });
      const byName = await newDevice({ name: 'c', customer });
      const ofMac = await provision({ customerId, name: 'other', serial: 'S-A', macAddress: 'A0:01' });
      const ofSerial = await provision({ customerId, name: 'another', serial: 'S-B', macAddress: 'A0:02' });
      const ofName = await provision({ customerId, name: 'c', serial: 'S-C', system: { os: 'x' } });
      expect([ofMac, ofSerial, ofName].map(({ device }) => device.id)).toEqual([byMac.id, bySerial.id, byName.id]);
      expect(ofMac.device).toMatchObject({ name: 'a', state: 'provisioned' });
      expect((await registry.call(admin, `GET /api/devices/${byMac.id}`)).body).toMatchObject({ serial: 'S-A' });
      expect((await registry.call(admin, `GET /api/devices/${bySerial.id}`)).body).toMatchObject({
        macAddress: 'A0:02',
        serial: 'S-B',
        version: 2,
      });
      expect((await registry.call(admin, `GET /api/devices/${byName.id}`)).body).toMatchObject({
        serial: 'S-C',
        attributes: { system: { os: 'x' } },
      });
    });

    test('with another serial number or MAC address is not the one, and which it has is not told', async () => {
      const customerId = await newCustomer();
      await provision({ customerId, serial: 'SECRET-1', macAddress: 'B0:01' });
      await provision({ customerId, name: 'second', serial: 'SECRET-2', macAddress: 'B0:02' });
      const refusal = async (asked: Partial<Asked>) =>
        provision({ customerId, ...asked }).then(
          () => undefined,
          (error: unknown) => error,
        );
      const paths = (...names: string[]) => ({
        code: 'DEVICE_MISMATCH',
        errors: names.map((path) => expect.objectContaining({ path })),
      });
      const serial = await refusal({ serial: 'X', macAddress: 'B0:01' });
      expect(serial).toMatchObject(paths('/serial'));
      expect(await refusal({ serial: 'SECRET-1', macAddress: 'B0:99' })).toMatchObject(paths('/macAddress'));
      expect(await refusal({ serial: 'SECRET-1', macAddress: 'B0:02' })).toMatchObject(paths('/serial'));
      expect(await refusal({ name: 'gateway', serial: 'X' })).toMatchObject(paths('/serial'));
      expect(await refusal({ name: 'gateway', serial: 'X', macAddress: 'B0:98' })).toMatchObject(
        paths('/serial', '/macAddress'),
      );
      expect(JSON.stringify(serial)).not.toContain('SECRET');
    });

    test('is another one for another customer', async () => {
      const [one, other] = [await newCustomer(), await newCustomer()];
      const asked = { name: 'same', serial: 'same', macAddress: 'C0:01' };
      const given = [await provision({ ...asked, customerId: one }), await provision({ ...asked, customerId: other })];
      expect(new Set(given.map(({ device }) => device.id)).size).toBe(2);
      expect(new Set(given.map(({ accessToken }) => accessToken)).size).toBe(2);
      expect(new Set(given.flatMap(({ assets }) => assets.map(({ id }) => id))).size).toBe(4);
    });

    test("is never somebody's own that only has the name or serial number, nor a default gateway", async () => {
      const customer = await newCustomer();
      const user = person('user', customer);
      await newDevice({ name: 'mine', customer, serial: 'guessed' }, user);
      for (const asked of [
        { name: 'mine', serial: 'other' },
        { name: 'other', serial: 'guessed' },
      ]) {
        await expect(provision({ customerId: customer, ...asked })).rejects.toMatchObject({ code: 'DEVICE_MISMATCH' });
      }
      const { userId } = user.principal;
      const gateway = await registry.rpc.call('registry.devices.defaultGateway', { userId, customerId: customer });
      const given = await provision({ customerId: customer, name: gateway.name });
      expect(given).toMatchObject({ created: true });
      expect(given.device.id).not.toBe(gateway.id);
    });

    test('that was claimed since gets its token again', async () => {
      const customerId = await newCustomer();
      const { device, accessToken } = await provision({ customerId });
      const user = person('user', customerId).principal;
      await registry.rpc.call('registry.devices.claim', { deviceId: device.id, user });
      expect(await provision({ customerId })).toMatchObject({
        device: { id: device.id, ownerId: user.userId },
        accessToken,
        created: false,
      });
    });

    test('that is switched off gets nothing', async () => {
      const customerId = await newCustomer();
      const { device } = await provision({ customerId });
      await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { enabled: false } });
      await expect(provision({ customerId })).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
    });

    test('that moved is in its new state alone, and stays where people put it', async () => {
      const customerId = await newCustomer();
      const { device, assets } = await provision({ customerId });
      const byHand = await insertAsset('Vehicle', 'State', customerId);
      const related = { fromId: byHand, toId: device.id, toAssetId: null, toDeviceId: device.id, customerId };
      await manager().insert(RelationEntity, {
        id: randomUUID(),
        ...related,
        type: 'Contains',
        createdAt: new Date(),
      });
      const moved = await provision({ customerId, place: { country: 'SWITZERLAND', state: 'Vaud' } });
      expect(moved.assets[0]).toEqual(assets[0]);
      expect(new Set(await containersOf(device.id))).toEqual(new Set([byHand, moved.assets[1]?.id]));
      expect(moved.accessToken).toBe((await provision({ customerId, place: null })).accessToken);
    });
  });

  describe('assets', () => {
    test('made by hand with that name, profile, customer and parent are taken', async () => {
      const customerId = await newCustomer();
      const country = await insertAsset('switzerland', 'Country', customerId);
      const elsewhere = await insertAsset('Bern', 'State', customerId);
      const state = await insertAsset('BERN', 'State', customerId);
      await relate(country, state, customerId);
      const given = await Promise.all(
        Array.from({ length: 10 }, (_, n) => provision({ customerId, name: `d${String(n)}`, serial: `S${String(n)}` })),
      );
      for (const { assets } of given) expect(assets.map(({ id }) => id)).toEqual([country, state]);
      const rows = await assetsOf(customerId);
      expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([country, elsewhere, state]));
      expect(rows.find(({ id }) => id === state)).toMatchObject({ name: 'BERN', latitude: 46.9, version: 2 });
    });

    test('that were renamed are not the ones any more, and a relation that was taken away comes back', async () => {
      const customerId = await newCustomer();
      const first = await provision({ customerId });
      const [country, state] = first.assets.map(({ id }) => id);
      await manager().delete(RelationEntity, { fromId: country ?? '' });
      expect((await provision({ customerId })).assets).toEqual(first.assets);
      expect(await manager().countBy(RelationEntity, { fromId: country ?? '', toId: state ?? '' })).toBe(1);
      await manager().update(AssetEntity, { id: state ?? '' }, { name: 'Berne', sortName: 'berne' });
      const second = await provision({ customerId });
      expect(second.assets[0]?.id).toBe(country);
      expect(second.assets[1]?.id).not.toBe(state);
    });

    test('that somebody has put the other way round are told of as a circle', async () => {
      const customerId = await newCustomer();
      const { assets } = await provision({ customerId });
      const [country = '', state = ''] = assets.map(({ id }) => id);
      await manager().delete(RelationEntity, { fromId: country });
      await relate(state, country, customerId);
      await expect(provision({ customerId })).rejects.toMatchObject({ code: 'RELATION_CYCLE' });
    });

    test('without coordinates get those of the next device that has some', async () => {
      const customerId = await newCustomer();
      const { country, state } = BERN;
      await provision({ customerId, place: { country, state } });
      await provision({ customerId, name: 'b', serial: 'b' });
      await provision({ customerId, name: 'c', serial: 'c', place: { ...BERN, latitude: 1, longitude: 1 } });
      expect((await assetsOf(customerId))[1]).toMatchObject({ latitude: 46.9, longitude: 7.4, version: 2 });
    });
  });

  test('profiles are found in any case, and a missing one is named', async () => {
    const given = await provision({ serial: randomUUID(), name: randomUUID(), deviceProfile: 'iot-GATEWAY' });
    expect(given.created).toBe(true);
    for (const field of ['deviceProfile', 'countryProfile', 'stateProfile'] as const) {
      const refusal = provision({ [field]: 'Nowhere', place: null });
      await expect(refusal).rejects.toMatchObject({ code: 'PROFILE_NOT_FOUND', errors: [{ path: `/${field}` }] });
      await expect(refusal).rejects.toThrow(new RegExp(`^${field}: .*"Nowhere"`));
    }
  });

  test('the audit trail says who did it, to what, without secrets', async () => {
    const customerId = await newCustomer();
    const { accessToken } = await provision({ customerId });
    const entries = await manager().find(AuditEntryEntity, { where: { customerId }, order: { id: 'ASC' } });
    const own = entries.filter(({ actorId }) => actorId === ACTOR.id);
    expect(own.map(({ action, subjectName }) => `${action} ${subjectName ?? ''}`)).toEqual([
      'asset.created Switzerland',
      'asset.created Bern',
      'relation.created Contains',
      'device.created gateway',
      'relation.created Contains',
    ]);
    expect(own.every(({ actorKind }) => actorKind === 'provisioning-key')).toBe(true);
    expect(JSON.stringify(entries)).not.toContain(accessToken);
  });

  test.each<[string, Partial<Asked>, string]>([
    ['a name of control characters', { name: 'a\nb' }, '/name'],
    ['a serial number of spaces', { serial: '  ' }, '/serial'],
    ['a wrong MAC address', { macAddress: 'xx' }, '/macAddress'],
    ['a country of spaces', { place: { ...BERN, country: ' ' } }, '/place/country'],
    ['system information without measure', { system: { text: 'x'.repeat(17_000) } }, '/system'],
    ['a customer that is not there', { customerId: randomUUID() }, '/customer'],
  ])('refuses %s and leaves nothing behind', async (_what, asked, path) => {
    const count = await manager().count(AssetEntity);
    const place = { ...BERN, country: randomUUID() };
    const refusal = provision({ name: randomUUID(), serial: randomUUID(), place, ...asked });
    await expect(refusal).rejects.toMatchObject({ code: 'INVALID_INPUT', errors: [{ path }] });
    expect(await manager().count(AssetEntity)).toBe(count);
  });
}
