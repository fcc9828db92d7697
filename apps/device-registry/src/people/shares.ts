import type { EntityManager } from 'typeorm';
import type { DeviceShare, Principal } from '#contracts';
import { DevicePersonEntity } from './device-person.entity.ts';

/** What a caller has of a device by themselves; null for a device that calls, and for people whose role decides. */
export async function shareOf(
  manager: EntityManager,
  principal: Principal,
  device: { id: string; ownerId: string | null },
): Promise<DeviceShare | null> {
  if (principal.kind !== 'user') return null;
  if (device.ownerId === principal.userId) return 'owner';
  if (principal.role !== 'user') return null;
  const row = await manager.findOneBy(DevicePersonEntity, { deviceId: device.id, userId: principal.userId });
  return row?.access ?? null;
}
