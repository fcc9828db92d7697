import type { EntityManager } from 'typeorm';
import { uuid7 } from '#platform';
import { actorsChange, audit } from '../audit/audit.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceProfileEntity } from './device-profile.entity.ts';

/**
 * The id of the device profile of that name (in any case), which is made if it is not there. Fails with a unique violation if somebody else
 * makes it at this moment: then it is there.
 */
export async function deviceProfileOf(manager: EntityManager, name: string, { actor, now }: Change): Promise<string> {
  const found = await manager.findOneBy(DeviceProfileEntity, { sortName: name.toLowerCase() });
  if (found) return found.id;
  const id = uuid7(now);
  await manager.insert(DeviceProfileEntity, {
    id,
    name,
    sortName: name.toLowerCase(),
    description: null,
    attributes: {},
    inactivitySeconds: null,
    version: 1,
    createdAt: new Date(now),
    updatedAt: new Date(now),
  });
  await audit(manager, now, actorsChange(actor, 'device-profile.created', { id, name, customerId: null }));
  return id;
}
