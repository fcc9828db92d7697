import { In, type DataSource } from 'typeorm';
import type { UserPrincipal } from '#contracts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { AssetProfileEntity } from '../profiles/asset-profile.entity.ts';
import { CONTAINS } from '../relations/relation-rows.ts';
import { RelationEntity } from '../relations/relation.entity.ts';
import { assetQuery, narrowToRoots, requireSeen } from './asset-query.ts';
import { AssetEntity } from './asset.entity.ts';
import type { AssetNode, AssetTree, AssetTreeDevice, AssetTreeQuery } from './asset.schemas.ts';

/** Most assets of one tree, and most devices. */
const MAX_NODES = 10_000;

/** What of an asset the tree shows, and by which profile. */
type Found = Pick<AssetEntity, 'id' | 'name' | 'profileId' | 'latitude' | 'longitude'>;

/** A node with what it is found by. */
interface Branch {
  profileId: string;
  node: AssetNode;
}

/**
 * The tree of what contains what, by one query a level. An asset that several contain is shown below each of them. Throws `NOT_FOUND`
 * for a root that the caller may not see.
 */
export async function assetTree(
  dataSource: DataSource,
  caller: UserPrincipal,
  { root, depth, devices, customer }: AssetTreeQuery,
): Promise<AssetTree> {
  const topmost =
    root === undefined
      ? await rootsOf(dataSource, caller, customer)
      : [requireSeen(caller, root, await dataSource.manager.findOneBy(AssetEntity, { id: root }))];
  if (topmost.length === 0) return { items: [], truncated: false };
  const branches = topmost.slice(0, MAX_NODES).map(branchOf);
  const items = branches.map(({ node }) => node);
  const isWhole = topmost.length <= MAX_NODES && (await grow(dataSource, branches, depth));
  await nameProfiles(dataSource, branches);
  await countDevices(dataSource, branches);
  const hasAllDevices = !devices || (await showDevices(dataSource, branches));
  return { items, truncated: !isWhole || !hasAllDevices };
}

/** Those that nothing contains, by name; one more than a tree may have, if there are. */
const rootsOf = (dataSource: DataSource, caller: UserPrincipal, customer: string | undefined): Promise<Found[]> =>
  narrowToRoots(assetQuery(dataSource, caller, customer === undefined ? {} : { customer }))
    .orderBy('asset.sortName')
    .addOrderBy('asset.id')
    .limit(MAX_NODES + 1)
    .getMany();

const branchOf = ({ id, name, profileId, latitude, longitude }: Found): Branch => ({
  profileId,
  node: { id, name, profile: '', latitude, longitude, deviceCount: 0, children: [] },
});

/** Adds to `branches` what is below them, level by level. False if there was no room for everything. */
async function grow(dataSource: DataSource, branches: Branch[], depth: number): Promise<boolean> {
  let level: readonly Branch[] = branches.slice();
  for (let count = 0; count < depth && level.length > 0; count += 1) {
    const room = MAX_NODES - branches.length;
    const found = await containedAssets(dataSource, level, room + 1);
    const pairs = pairsOf(level, found);
    const children = pairs.slice(0, room).map(([{ node }, child]) => {
      const branch = branchOf(child);
      node.children.push(branch.node);
      return branch;
    });
    branches.push(...children);
    if (found.length > room || pairs.length > room) return false;
    level = children;
  }
  return true;
}

/** What was found below each of them; each asset may be there several times. At most one more than a tree may have. */
function pairsOf<T extends { parentId: string; name: string }>(
  above: readonly Branch[],
  found: readonly T[],
): [Branch, T][] {
  const places = new Map<string, Branch[]>();
  for (const branch of above) places.set(branch.node.id, [...(places.get(branch.node.id) ?? []), branch]);
  const pairs: [Branch, T][] = [];
  for (const child of [...found].sort(byName)) {
    for (const parent of places.get(child.parentId) ?? []) {
      if (pairs.length > MAX_NODES) return pairs;
      pairs.push([parent, child]);
    }
  }
  return pairs;
}

function byName(one: { name: string }, other: { name: string }): number {
  const [first, second] = [one.name.toLowerCase(), other.name.toLowerCase()];
  return first < second ? -1 : Number(first > second);
}

const idsOf = (branches: readonly Branch[]): string[] => [...new Set(branches.map(({ node }) => node.id))];

const containedBy = (dataSource: DataSource, branches: readonly Branch[]) =>
  dataSource.manager
    .createQueryBuilder(RelationEntity, 'relation')
    .select('relation.fromId', 'parentId')
    .where('relation.fromId IN (:...ids) AND relation.type = :type', { ids: idsOf(branches), type: CONTAINS });

const containedAssets = (
  dataSource: DataSource,
  branches: readonly Branch[],
  limit: number,
): Promise<(Found & { parentId: string })[]> =>
  containedBy(dataSource, branches)
    .innerJoin(AssetEntity, 'asset', 'asset.id = relation.toAssetId')
    .addSelect('asset.id', 'id')
    .addSelect('asset.name', 'name')
    .addSelect('asset.profileId', 'profileId')
    .addSelect('asset.latitude', 'latitude')
    .addSelect('asset.longitude', 'longitude')
    .limit(limit)
    .getRawMany();

async function nameProfiles(dataSource: DataSource, branches: readonly Branch[]): Promise<void> {
  const ids = [...new Set(branches.map(({ profileId }) => profileId))];
  const profiles = await dataSource.manager.find(AssetProfileEntity, {
    select: { id: true, name: true },
    where: { id: In(ids) },
  });
  const names = new Map(profiles.map(({ id, name }) => [id, name]));
  for (const { node, profileId } of branches) node.profile = names.get(profileId) ?? '';
}

async function countDevices(dataSource: DataSource, branches: readonly Branch[]): Promise<void> {
  const rows = await containedBy(dataSource, branches)
    .andWhere('relation.toDeviceId IS NOT NULL')
    .addSelect('COUNT(*)', 'devices')
    .groupBy('relation.fromId')
    .getRawMany<{ parentId: string; devices: number | string }>();
  const counts = new Map(rows.map(({ parentId, devices }) => [parentId, Number(devices)]));
  for (const { node } of branches) node.deviceCount = counts.get(node.id) ?? 0;
}

/** False if there was no room for every device. */
async function showDevices(dataSource: DataSource, branches: readonly Branch[]): Promise<boolean> {
  for (const { node } of branches) node.devices = [];
  const found = await containedBy(dataSource, branches)
    .innerJoin(DeviceEntity, 'device', 'device.id = relation.toDeviceId')
    .addSelect('device.id', 'id')
    .addSelect('device.name', 'name')
    .addSelect('device.kind', 'kind')
    .addSelect('device.state', 'state')
    .limit(MAX_NODES + 1)
    .getRawMany<AssetTreeDevice & { parentId: string }>();
  const pairs = pairsOf(branches, found);
  for (const [{ node }, { id, name, kind, state }] of pairs.slice(0, MAX_NODES)) {
    node.devices?.push({ id, name, kind, state });
  }
  return pairs.length <= MAX_NODES;
}
