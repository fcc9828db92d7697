import type { EntityManager } from 'typeorm';
import type { DeviceKind, UserPrincipal } from '#contracts';
import { invalidInput } from '#platform';
import { allows } from './device-policy.ts';
import { DeviceEntity } from './device.entity.ts';

/** Longest chain of devices behind devices. */
const MAX_CHAIN = 8;

/** May devices be behind one of this kind? */
export const canBeMaster = (kind: DeviceKind): boolean => kind === 'gateway' || kind === 'master';

/**
 * May the caller put the device `id` (null: a new one) behind `masterId`? Throws `INVALID_INPUT` if that is no gateway or master
 * that the caller may manage, or if the device would be behind itself.
 */
export async function checkMaster(
  manager: EntityManager,
  caller: UserPrincipal,
  masterId: string | null,
  id: string | null,
): Promise<void> {
  if (masterId === null) return;
  const master = await manager.findOneBy(DeviceEntity, { id: masterId });
  if (!master || !canBeMaster(master.kind) || !allows(caller, 'manage', master)) {
    throw invalidInput('/master', 'is not the id of a gateway or master among your devices');
  }
  await checkChain(manager, master, id);
}

/** Throws `INVALID_INPUT` if the device `id` would be behind itself, or too far behind others. */
export async function checkChain(manager: EntityManager, master: DeviceEntity, id: string | null): Promise<void> {
  let above: DeviceEntity | null = master;
  for (let length = 1; above; length += 1) {
    if (above.id === id) throw invalidInput('/master', 'is the device itself or behind it');
    if (length >= MAX_CHAIN) throw invalidInput('/master', `is behind ${String(MAX_CHAIN - 1)} others already`);
    above = above.masterId === null ? null : await manager.findOneBy(DeviceEntity, { id: above.masterId });
  }
}
