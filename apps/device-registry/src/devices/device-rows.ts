import type { EntityManager } from 'typeorm';
import { CodedError, type Actor } from '#contracts';
import { invalidInput, uuid7 } from '#platform';
import { isForeignKeyViolation, isUniqueViolation, rowLock } from '#sql';
import { actorsChange, audit, changesBetween } from '../audit/audit.ts';
import { leavePlace, movePlace, takePlace } from '../customers/device-places.ts';
import { DevicePersonEntity } from '../people/device-person.entity.ts';
import { ownerColumns, replaceOwner } from '../people/ownership.ts';
import { deleteRelations, requireUnrelated } from '../relations/relation-rows.ts';
import { RelationEntity } from '../relations/relation.entity.ts';
import { deviceView } from './device.schemas.ts';
import { DeviceEntity, DeviceLabelEntity, DeviceTermEntity } from './device.entity.ts';
import { termsOf } from './search-terms.ts';

/** What of a device can be changed. */
export type DeviceColumns = Pick<
  DeviceEntity,
  | 'name'
  | 'kind'
  | 'macAddress'
  | 'serial'
  | 'customerId'
  | 'profileId'
  | 'enabled'
  | 'masterId'
  | 'labels'
  | 'attributes'
> &
  Partial<Pick<DeviceEntity, 'ownerId' | 'state'>>;

/** Who changes something, and when (ms since the epoch). */
export interface Change {
  actor: Actor;
  now: number;
}

/** A device that is about to be made. */
export type NewDevice = Pick<DeviceEntity, 'name' | 'kind' | 'customerId' | 'ownerId'> & Partial<DeviceEntity>;

/** The device, held until the end of the transaction; null if there is none. */
export const lockedDevice = (manager: EntityManager, id: string): Promise<DeviceEntity | null> =>
  manager.findOne(DeviceEntity, { where: { id }, lock: rowLock(manager) });

/** Throws `MAC_TAKEN`, `CONFLICT` for a name that another device behind the same gateway has, and what takePlace throws. */
export async function insertDevice(manager: EntityManager, device: NewDevice, change: Change): Promise<DeviceEntity> {
  const { now } = change;
  await takePlace(manager, device.customerId);
  const row = manager.create(DeviceEntity, {
    macAddress: null,
    serial: null,
    masterId: null,
    defaultOf: null,
    provisionedMac: null,
    profileId: null,
    state: 'created',
    activatedAt: null,
    enabled: true,
    identityKey: null,
    importedBy: null,
    provisioningKey: null,
    labels: [],
    attributes: {},
    id: uuid7(now),
    ...device,
    sortName: device.name.toLowerCase(),
    customerScope: device.customerId ?? '',
    tokenGeneration: 1,
    version: 1,
    createdAt: new Date(now),
    updatedAt: new Date(now),
  });
  await explained(row, () => manager.insert(DeviceEntity, row as object));
  await insertLabels(manager, row);
  await insertTerms(manager, row);
  await insertOwner(manager, row, now);
  await audit(manager, now, actorsChange(change.actor, 'device.created', row));
  return row;
}

/**
 * Changes a locked device, without `ownerId` not its owner. Throws as {@link insertDevice} does, and `STILL_RELATED` for a move to
 * another customer.
 */
export async function updateDevice(
  manager: EntityManager,
  before: DeviceEntity,
  { ownerId = before.ownerId, ...columns }: DeviceColumns,
  { actor, now }: Change,
): Promise<DeviceEntity> {
  if (columns.customerId !== before.customerId) await requireUnrelated(manager, before.id);
  await movePlace(manager, before.customerId, columns.customerId);
  const change = {
    ...columns,
    ...ownerColumns(before, ownerId),
    sortName: columns.name.toLowerCase(),
    customerScope: columns.customerId ?? '',
    provisionedMac: columns.macAddress === before.macAddress ? before.provisionedMac : null,
    version: before.version + 1,
    updatedAt: new Date(now),
  };
  const after = manager.create(DeviceEntity, { ...before, ...change });
  await explained(after, () => manager.update(DeviceEntity, { id: before.id }, change as object));
  await replaceLabels(manager, before, after);
  await replaceTerms(manager, before, after);
  await replaceOwner(manager, before, ownerId, now);
  const changes = changesBetween(described(before), described(after));
  if (Object.keys(changes).length > 0) {
    await audit(manager, now, { ...actorsChange(actor, 'device.updated', after), changes });
  }
  return after;
}

/** Deletes a locked device with its credentials, shares and relations. Throws `DEVICE_IN_USE` while devices are behind it. */
export async function deleteDevice(manager: EntityManager, row: DeviceEntity, change: Change): Promise<void> {
  const { id, customerId } = row;
  await leavePlace(manager, customerId);
  await deleteRelations(manager, await manager.findBy(RelationEntity, { toDeviceId: id }), change);
  try {
    await manager.delete(DeviceEntity, { id });
  } catch (error) {
    throw isForeignKeyViolation(error) ? deviceInUse(id) : error;
  }
  await audit(manager, change.now, actorsChange(change.actor, 'device.deleted', row));
}

/** What of a device the audit trail compares. */
function described(row: DeviceEntity): object {
  const { version: _version, updatedAt: _updatedAt, ...rest } = deviceView(row);
  return rest;
}

async function insertOwner(manager: EntityManager, { id, ownerId }: DeviceEntity, now: number): Promise<void> {
  if (ownerId === null) return;
  await manager.insert(DevicePersonEntity, {
    deviceId: id,
    userId: ownerId,
    access: 'owner',
    createdAt: new Date(now),
  });
}

export const deviceInUse = (id: string): CodedError =>
  new CodedError(
    'DEVICE_IN_USE',
    `Devices are behind it: give those another master or delete them first (GET /api/devices?master=${id}).`,
  );

async function explained(row: DeviceEntity, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (isUniqueViolation(error, 'uq_devices_scope_mac', 'devices.customer_scope')) throw macTaken(row);
    if (isUniqueViolation(error, 'uq_devices_master_name', 'devices.master_id')) throw nameTaken(row);
    if (isForeignKeyViolation(error)) throw goneMeanwhile(error);
    throw error;
  }
}

/** MySQL names the constraint, SQLite does not. */
const goneMeanwhile = (error: unknown): CodedError =>
  error instanceof Error && error.message.includes('fk_devices_master')
    ? invalidInput('/master', 'is a device that was deleted just now')
    : invalidInput('/profile', 'is a profile or a master that was deleted just now');

const macTaken = ({ macAddress, customerId }: DeviceEntity): CodedError =>
  new CodedError(
    'MAC_TAKEN',
    `Another device ${customerId === null ? 'without a customer' : 'of the customer'} has the MAC address ${String(macAddress)}: change or delete that one first.`,
  );

const nameTaken = ({ name }: DeviceEntity): CodedError =>
  new CodedError('CONFLICT', `Another device behind the same master has the name "${name}": choose a different one.`);

async function insertLabels(manager: EntityManager, { id, labels }: DeviceEntity): Promise<void> {
  if (labels.length === 0) return;
  await manager.insert(
    DeviceLabelEntity,
    labels.map((label) => ({ deviceId: id, label })),
  );
}

async function insertTerms(manager: EntityManager, row: DeviceEntity): Promise<void> {
  await manager.insert(
    DeviceTermEntity,
    termsOf(row).map((term) => ({ deviceId: row.id, term })),
  );
}

async function replaceLabels(manager: EntityManager, before: DeviceEntity, after: DeviceEntity): Promise<void> {
  if (isSame(before.labels, after.labels)) return;
  await manager.delete(DeviceLabelEntity, { deviceId: after.id });
  await insertLabels(manager, after);
}

async function replaceTerms(manager: EntityManager, before: DeviceEntity, after: DeviceEntity): Promise<void> {
  if (isSame(termsOf(before), termsOf(after))) return;
  await manager.delete(DeviceTermEntity, { deviceId: after.id });
  await insertTerms(manager, after);
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  JSON.stringify(one) === JSON.stringify(other);
