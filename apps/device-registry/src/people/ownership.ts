import type { EntityManager } from 'typeorm';
import { audit, actorsChange, changesBetween } from '../audit/audit.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { DevicePersonEntity } from './device-person.entity.ts';

/**
 * Makes a locked device somebody's (null: nobody's) for those who list the devices of people; the device's own columns are the
 * caller's to write in the same transaction. A share of the new owner's becomes the ownership.
 */
export async function replaceOwner(
  manager: EntityManager,
  { id, ownerId }: DeviceEntity,
  newOwnerId: string | null,
  now: number,
): Promise<void> {
  if (ownerId === newOwnerId) return;
  if (ownerId !== null) await manager.delete(DevicePersonEntity, { deviceId: id, userId: ownerId });
  if (newOwnerId === null) return;
  await manager.delete(DevicePersonEntity, { deviceId: id, userId: newOwnerId });
  await manager.insert(DevicePersonEntity, {
    deviceId: id,
    userId: newOwnerId,
    access: 'owner',
    createdAt: new Date(now),
  });
}

/** The columns of a device that go with its owner: the default gateway of somebody is theirs. */
export const ownerColumns = (
  before: DeviceEntity,
  ownerId: string | null,
): Pick<DeviceEntity, 'ownerId' | 'defaultOf'> => ({
  ownerId,
  defaultOf: before.ownerId === ownerId ? before.defaultOf : null,
});

/** Gives a locked device up: it has no owner any more, and is shared with nobody. */
export async function releaseDevice(
  manager: EntityManager,
  before: DeviceEntity,
  { actor, now }: Change,
): Promise<DeviceEntity> {
  const people = await manager.findBy(DevicePersonEntity, { deviceId: before.id });
  if (people.length === 0) return before;
  await manager.delete(DevicePersonEntity, { deviceId: before.id });
  const change = { ...ownerColumns(before, null), version: before.version + 1, updatedAt: new Date(now) };
  await manager.update(DeviceEntity, { id: before.id }, change);
  const shares = people
    .filter(({ access }) => access !== 'owner')
    .map(({ userId, access }) => ({ user: userId, access }));
  await audit(manager, now, {
    ...actorsChange(actor, 'device.released', before),
    changes: changesBetween({ owner: before.ownerId, shares }, { owner: null, shares: [] }),
  });
  return manager.create(DeviceEntity, { ...before, ...change });
}
