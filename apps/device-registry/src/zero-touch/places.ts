import { IsNull, type EntityManager } from 'typeorm';
import { uuid7 } from '#platform';
import { AssetEntity } from '../assets/asset.entity.ts';
import { actorsChange, audit } from '../audit/audit.ts';
import type { Change } from '../devices/device-rows.ts';
import { identityKey } from '../identity.ts';
import type { AssetProfileEntity } from '../profiles/asset-profile.entity.ts';
import { CONTAINS } from '../relations/relation-rows.ts';
import { RelationEntity } from '../relations/relation.entity.ts';
import type { AskedPlace } from './asked-device.ts';
import { containAsset } from './contains.ts';
import type { Profiles } from './profiles-by-name.ts';

/** What an asset is found by. */
interface Wanted {
  name: string;
  profile: AssetProfileEntity;
  customerId: string | null;
  parent: AssetEntity | null;
}

interface Point {
  latitude: number | null;
  longitude: number | null;
}

const NOWHERE: Point = { latitude: null, longitude: null };

/** The country and the state of a place, found or made, the one within the other. Throws `RELATION_CYCLE`. */
export async function assetsOf(
  manager: EntityManager,
  { country, state, latitude, longitude }: AskedPlace,
  profiles: Profiles,
  customerId: string | null,
  change: Change,
): Promise<{ country: AssetEntity; state: AssetEntity }> {
  const outer = await foundOrMade(
    manager,
    { name: country, profile: profiles.country, customerId, parent: null },
    NOWHERE,
    change,
  );
  const point = latitude === undefined || longitude === undefined ? NOWHERE : { latitude, longitude };
  const wanted = { name: state, profile: profiles.state, customerId, parent: outer };
  const inner = await foundOrMade(manager, wanted, point, change);
  await containAsset(manager, outer, inner, change);
  return { country: outer, state: await pointed(manager, inner, point, change) };
}

async function foundOrMade(manager: EntityManager, wanted: Wanted, point: Point, change: Change): Promise<AssetEntity> {
  const key = keyOf(wanted);
  const known = await manager.findOneBy(AssetEntity, { identityKey: key });
  if (known && isStill(known, wanted)) return known;
  if (known) await manager.update(AssetEntity, { id: known.id }, { identityKey: null });
  const byHand = await madeByHand(manager, wanted);
  if (byHand) {
    await manager.update(AssetEntity, { id: byHand.id }, { identityKey: key });
    return { ...byHand, identityKey: key };
  }
  return insertAsset(manager, wanted, key, point, change);
}

const keyOf = ({ customerId, profile, parent, name }: Wanted): string =>
  identityKey('asset', customerId, profile.id, parent?.id ?? '', name.toLowerCase());

/** People may have renamed it since, or given it to another customer: then it is not the one any more. */
const isStill = (asset: AssetEntity, { name, profile, customerId }: Wanted): boolean =>
  asset.sortName === name.toLowerCase() && asset.profileId === profile.id && asset.customerId === customerId;

/** The oldest asset of that name, profile and customer, within the parent if there is to be one, that nothing is known by yet. */
function madeByHand(
  manager: EntityManager,
  { name, profile, customerId, parent }: Wanted,
): Promise<AssetEntity | null> {
  const query = manager
    .createQueryBuilder(AssetEntity, 'asset')
    .where({
      profileId: profile.id,
      sortName: name.toLowerCase(),
      customerId: customerId ?? IsNull(),
      identityKey: IsNull(),
    })
    .orderBy('asset.id');
  if (parent) {
    const contained = { parent: parent.id, type: CONTAINS };
    query.innerJoin(
      RelationEntity,
      'relation',
      'relation.toAssetId = asset.id AND relation.fromId = :parent AND relation.type = :type',
      contained,
    );
  }
  return query.limit(1).getOne();
}

async function insertAsset(
  manager: EntityManager,
  { name, profile, customerId }: Wanted,
  key: string,
  point: Point,
  { actor, now }: Change,
): Promise<AssetEntity> {
  const row = manager.create(AssetEntity, {
    id: uuid7(now),
    name,
    sortName: name.toLowerCase(),
    profileId: profile.id,
    customerId,
    ...point,
    attributes: {},
    identityKey: key,
    version: 1,
    createdAt: new Date(now),
    updatedAt: new Date(now),
  });
  await manager.insert(AssetEntity, row as object);
  await audit(manager, now, actorsChange(actor, 'asset.created', row));
  return row;
}

/** An asset without coordinates gets those that the device brought. */
async function pointed(
  manager: EntityManager,
  asset: AssetEntity,
  point: Point,
  { actor, now }: Change,
): Promise<AssetEntity> {
  if (asset.latitude !== null || point.latitude === null) return asset;
  const change = { ...point, version: asset.version + 1, updatedAt: new Date(now) };
  await manager.update(AssetEntity, { id: asset.id }, change);
  const changes = {
    latitude: { from: null, to: point.latitude },
    longitude: { from: null, to: point.longitude },
  };
  await audit(manager, now, { ...actorsChange(actor, 'asset.updated', asset), changes });
  return { ...asset, ...change };
}
