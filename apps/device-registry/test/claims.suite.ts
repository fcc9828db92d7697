import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DeviceRef } from '#contracts';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { DevicePersonEntity } from '../src/people/device-person.entity.ts';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** Devices that get an owner. */
export function claimsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newDevice = async (customer: string | null = null): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: randomUUID(), customer } })).body;
  const newCustomer = async (): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A' } })).body.id;
  const claim = (who: Person, deviceId: string): Promise<DeviceRef> =>
    registry.rpc.call('registry.devices.claim', { deviceId, user: who.principal });

  test('a device without an owner becomes the one of whoever claims it, who then sees it', async () => {
    const user = person('user');
    const { id } = await newDevice();
    expect(await claim(user, id)).toMatchObject({ id, ownerId: user.principal.userId });
    expect((await registry.call(user, 'GET /api/devices')).body.items.map((item) => item.id)).toEqual([id]);
    expect((await registry.call(user, `GET /api/devices/${id}`)).body).toMatchObject({ version: 2 });
    const heard = registry.heard('registry.device.changed').filter(({ device }) => device.id === id);
    expect(heard.at(-1)).toMatchObject({ change: 'updated', device: { ownerId: user.principal.userId } });
    const [entry] = await registry.dataSource.manager.findBy(AuditEntryEntity, {
      subjectId: id,
      action: 'device.claimed',
    });
    expect(entry).toMatchObject({
      actorKind: 'user',
      actorId: user.principal.userId,
      changes: { owner: { from: null, to: user.principal.userId } },
    });
  });

  test('of fifty who claim it at once one is its owner', async () => {
    const { id } = await newDevice();
    const users = Array.from({ length: 50 }, () => person('user'));
    const outcomes = await Promise.allSettled(users.map((user) => claim(user, id)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ALREADY_CLAIMED' });
    }
    const people = await registry.dataSource.manager.findBy(DevicePersonEntity, { deviceId: id });
    expect(people.map(({ access }) => access)).toEqual(['owner']);
  });

  test('somebody with a share of it becomes its owner instead', async () => {
    const user = person('user');
    const { userId } = user.principal;
    const { id } = await newDevice();
    const share = { deviceId: id, userId, access: 'read', createdAt: new Date() } as const;
    await registry.dataSource.manager.insert(DevicePersonEntity, share);
    await claim(user, id);
    const people = await registry.dataSource.manager.findBy(DevicePersonEntity, { deviceId: id });
    expect(people.map((row) => [row.userId, row.access])).toEqual([[userId, 'owner']]);
  });

  test('whose device it is already is told so, and others that somebody has it', async () => {
    const user = person('user');
    const { id } = await newDevice();
    await claim(user, id);
    await expect(claim(user, id)).rejects.toMatchObject({ code: 'OWN_DEVICE' });
    await expect(claim(person('user'), id)).rejects.toMatchObject({ code: 'ALREADY_CLAIMED' });
  });

  test("a customer's device is for people of that customer; there is no word of it to others", async () => {
    const [ours, theirs] = [await newCustomer(), await newCustomer()];
    const { id } = await newDevice(ours);
    for (const who of [person('user'), person('user', theirs), person('operator', theirs)]) {
      await expect(claim(who, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await claim(person('user', ours), id)).toMatchObject({ id, customerId: ours });
    await expect(claim(person('user'), randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
}
