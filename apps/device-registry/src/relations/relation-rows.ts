import type { EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { invalidInput, uuid7 } from '#platform';
import { isForeignKeyViolation, isUniqueViolation, rowLock, sharedLock } from '#sql';
import { AssetEntity } from '../assets/asset.entity.ts';
import { actorsChange, audit, changesBetween } from '../audit/audit.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { RelationEntity, RelationTypeEntity } from './relation.entity.ts';

/** What containers and what is in them are related by; it is always there. */
export const CONTAINS = 'Contains';

/** Most levels of assets above one another. */
export const MAX_LEVELS = 64;

/** One end of a relation. */
export interface RelationEnd {
  kind: 'asset' | 'device';
  id: string;
  name: string;
  customerId: string | null;
}

/** The asset, or the device, of that id, which nobody moves to another customer before the end of the transaction. */
export async function heldEnd(
  manager: EntityManager,
  kind: RelationEnd['kind'],
  id: string,
): Promise<RelationEnd | null> {
  const entity = kind === 'asset' ? AssetEntity : DeviceEntity;
  const row = await manager.findOne(entity, {
    select: { id: true, name: true, customerId: true },
    where: { id },
    lock: sharedLock(manager),
  });
  return row && { kind, id, name: row.name, customerId: row.customerId };
}

/**
 * Relates two held ends. Throws `INVALID_INPUT` if they belong to two customers, or are too many levels deep, `RELATION_CYCLE`,
 * `RELATION_EXISTS`.
 */
export async function insertRelation(
  manager: EntityManager,
  { from, to, type }: { from: RelationEnd; to: RelationEnd; type: string },
  { actor, now }: Change,
): Promise<RelationEntity> {
  if (from.customerId !== to.customerId) throw invalidInput('/to', 'belongs to another customer than /from');
  if (to.kind === 'asset') await requireNoCircle(manager, type, from.id, to.id);
  const row = manager.create(RelationEntity, {
    id: uuid7(now),
    fromId: from.id,
    type,
    toId: to.id,
    toAssetId: to.kind === 'asset' ? to.id : null,
    toDeviceId: to.kind === 'device' ? to.id : null,
    customerId: from.customerId,
    createdAt: new Date(now),
  });
  await explained(row, () => manager.insert(RelationEntity, row));
  await audit(manager, now, { ...recordOf(actor, 'relation.created', row), changes: changesBetween({}, ends(row)) });
  return row;
}

/** Ends relations, each of them audited. */
export async function deleteRelations(
  manager: EntityManager,
  rows: RelationEntity[],
  { actor, now }: Change,
): Promise<void> {
  if (rows.length === 0) return;
  await manager.delete(
    RelationEntity,
    rows.map(({ id }) => id),
  );
  const records = rows.map((row) => ({
    ...recordOf(actor, 'relation.deleted', row),
    changes: Object.fromEntries(Object.entries(ends(row)).map(([end, id]) => [end, { from: id, to: null }])),
  }));
  await audit(manager, now, ...records);
}

/**
 * A thing that is related stays with its customer: a relation never joins those of two. Throws `STILL_RELATED`. For a thing that is
 * locked, so that nobody relates it meanwhile.
 */
export async function requireUnrelated(manager: EntityManager, id: string): Promise<void> {
  const related = await manager.findOne(RelationEntity, {
    select: { id: true, fromId: true },
    where: [{ fromId: id }, { toId: id }],
  });
  if (!related) return;
  const end = related.fromId === id ? 'from' : 'to';
  throw new CodedError(
    'STILL_RELATED',
    `It is related to something of its customer, and moves to another one only without: end those relations first (GET /api/relations?${end}=${id}, then DELETE /api/relations/<id>).`,
  );
}

const ends = ({ fromId, type, toId }: RelationEntity) => ({ from: fromId, type, to: toId });

const recordOf = (
  actor: Change['actor'],
  action: 'relation.created' | 'relation.deleted',
  { id, type, customerId }: RelationEntity,
) => actorsChange(actor, action, { id, name: type, customerId });

/** Of several that relate assets by one type, the second sees what the first did: together they cannot close a circle either. */
async function requireNoCircle(manager: EntityManager, type: string, fromId: string, toId: string): Promise<void> {
  await manager.findOne(RelationTypeEntity, { where: { type }, lock: rowLock(manager) });
  const seen = new Set<string>();
  let level = [fromId];
  for (let count = 0; level.length > 0; count += 1) {
    if (level.includes(toId)) throw circle(type);
    if (count >= MAX_LEVELS) throw invalidInput('/from', `is below ${String(MAX_LEVELS)} levels of others already`);
    for (const id of level) seen.add(id);
    level = (await directlyAbove(manager, type, level)).filter((id) => !seen.has(id));
  }
}

async function directlyAbove(manager: EntityManager, type: string, ids: string[]): Promise<string[]> {
  const rows = await manager
    .createQueryBuilder(RelationEntity, 'relation')
    .select('DISTINCT relation.fromId', 'id')
    .where('relation.toId IN (:...ids) AND relation.type = :type', { ids, type })
    .getRawMany<{ id: string }>();
  return rows.map(({ id }) => id);
}

const circle = (type: string): CodedError =>
  new CodedError(
    'RELATION_CYCLE',
    `/to is /from itself or, by "${type}" relations, above it: a relation back would close a circle.`,
  );

async function explained({ type }: RelationEntity, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (isUniqueViolation(error)) {
      throw new CodedError('RELATION_EXISTS', `There is a "${type}" relation between the two already: it can stay.`);
    }
    throw isForeignKeyViolation(error) ? invalidInput('/to', 'or /from was deleted just now') : error;
  }
}
