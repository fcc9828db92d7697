import type { EntityManager } from 'typeorm';
import { insertRows } from '#sql';
import { actorsChange, auditEntries } from '../audit/audit.ts';
import { AuditEntryEntity } from '../audit/audit-entry.entity.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceEntity, DeviceLabelEntity, DeviceTermEntity } from '../devices/device.entity.ts';
import { termsOf } from '../devices/search-terms.ts';
import { DevicePersonEntity } from '../people/device-person.entity.ts';
import type { Candidate } from './import-row.ts';

/** What the devices of an import have in common. */
export interface Origin {
  jobId: string;
  ownerId: string | null;
}

/** The device that a row makes. */
export function deviceOf(row: Candidate, id: string, { jobId, ownerId }: Origin, { now }: Change): DeviceEntity {
  const time = new Date(now);
  return {
    id,
    name: row.name,
    sortName: row.name.toLowerCase(),
    kind: row.kind,
    customerId: row.customerId,
    customerScope: row.customerId ?? '',
    macAddress: row.macAddress,
    serial: row.serial,
    profileId: row.profileId,
    labels: row.labels,
    attributes: row.attributes,
    identityKey: row.identityKey,
    ownerId,
    masterId: null,
    defaultOf: null,
    provisionedMac: null,
    state: 'created',
    activatedAt: null,
    enabled: true,
    importedBy: jobId,
    provisioningKey: null,
    tokenGeneration: 1,
    version: 1,
    createdAt: time,
    updatedAt: time,
  };
}

/** Inserts devices whose places are taken, with everything that belongs to them, by a few statements. */
export async function insertDevices(manager: EntityManager, devices: DeviceEntity[], change: Change): Promise<void> {
  const { actor, now } = change;
  await insertRows(manager, DeviceEntity, devices);
  await insertRows(
    manager,
    DeviceLabelEntity,
    devices.flatMap(({ id, labels }) => labels.map((label) => ({ deviceId: id, label }))),
  );
  await insertRows(
    manager,
    DeviceTermEntity,
    devices.flatMap((device) => termsOf(device).map((term) => ({ deviceId: device.id, term }))),
  );
  await insertRows(
    manager,
    DevicePersonEntity,
    devices.flatMap((device) => ownerOf(device, now)),
  );
  const records = devices.map((device) => actorsChange(actor, 'device.created', device));
  await insertRows(manager, AuditEntryEntity, auditEntries(now, records));
}

const ownerOf = ({ id, ownerId }: DeviceEntity, now: number): DevicePersonEntity[] =>
  ownerId === null ? [] : [{ deviceId: id, userId: ownerId, access: 'owner', createdAt: new Date(now) }];
