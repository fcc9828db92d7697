import { In, type EntityManager } from 'typeorm';
import { AssetEntity } from '../assets/asset.entity.ts';
import type { Change } from '../devices/device-rows.ts';
import type { DeviceEntity } from '../devices/device.entity.ts';
import { CONTAINS, deleteRelations, insertRelation, type RelationEnd } from '../relations/relation-rows.ts';
import { RelationEntity } from '../relations/relation.entity.ts';

/** An asset contains another one from now on, if it does not yet. Throws `RELATION_CYCLE`. */
export async function containAsset(
  manager: EntityManager,
  from: AssetEntity,
  to: AssetEntity,
  change: Change,
): Promise<void> {
  if (await manager.existsBy(RelationEntity, { fromId: from.id, type: CONTAINS, toId: to.id })) return;
  await insertRelation(manager, { from: endOf('asset', from), to: endOf('asset', to), type: CONTAINS }, change);
}

/**
 * A state contains a locked device from now on. Other states that contain it because it once stood there do not any more; what people
 * have related to it by hand stays.
 */
export async function containDevice(
  manager: EntityManager,
  state: AssetEntity,
  device: DeviceEntity,
  change: Change,
): Promise<void> {
  const containing = await manager.findBy(RelationEntity, { toDeviceId: device.id, type: CONTAINS });
  if (containing.some(({ fromId }) => fromId === state.id)) return;
  await deleteRelations(manager, await ofStates(manager, containing, state.profileId), change);
  await insertRelation(manager, { from: endOf('asset', state), to: endOf('device', device), type: CONTAINS }, change);
}

/** Those of relations that come from a state which devices made, or found, for themselves. */
async function ofStates(
  manager: EntityManager,
  relations: RelationEntity[],
  profileId: string,
): Promise<RelationEntity[]> {
  if (relations.length === 0) return [];
  const assets = await manager.findBy(AssetEntity, { id: In(relations.map(({ fromId }) => fromId)), profileId });
  const states = new Set(assets.filter(({ identityKey }) => identityKey !== null).map(({ id }) => id));
  return relations.filter(({ fromId }) => states.has(fromId));
}

const endOf = (kind: RelationEnd['kind'], { id, name, customerId }: Omit<RelationEnd, 'kind'>): RelationEnd => ({
  kind,
  id,
  name,
  customerId,
});
