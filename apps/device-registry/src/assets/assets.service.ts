import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, invalidInput, mergePatch, requireMatch, uuid7, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, keysetPage, orderOf, rowLock } from '#sql';
import { actorOf, actorsChange, audit, changesBetween } from '../audit/audit.ts';
import { placeOf } from '../customers/customer-reference.ts';
import { REGISTRY } from '../data-source-name.ts';
import type { Change } from '../devices/device-rows.ts';
import { ASSET_PROFILE, profileIdOf } from '../profiles/profile-kinds.ts';
import { deleteRelations, requireUnrelated } from '../relations/relation-rows.ts';
import { RelationEntity } from '../relations/relation.entity.ts';
import { assetQuery, requireSeen } from './asset-query.ts';
import { AssetEntity } from './asset.entity.ts';
import { assetTree } from './asset-tree.ts';
import {
  AssetDocument,
  assetView,
  type AssetPatch,
  type AssetQuery,
  type AssetTree,
  type AssetTreeQuery,
  type AssetView,
} from './asset.schemas.ts';

const SORTED_BY = { createdAt: 'id', name: 'sortName' } as const;

/** What of an asset can be changed. */
type AssetColumns = Pick<AssetEntity, 'name' | 'profileId' | 'customerId' | 'latitude' | 'longitude' | 'attributes'>;

/** Assets: administrators keep all, operators those of their customer. */
@Injectable()
export class Assets {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async list(caller: UserPrincipal, { sort, limit, cursor, ...filters }: AssetQuery): Promise<Page<AssetView>> {
    const query = assetQuery(this.dataSource, caller, filters);
    const isFound = filters.parent !== undefined || (filters.q !== undefined && sort.endsWith('createdAt'));
    const order = { ...orderOf<AssetEntity>(sort, SORTED_BY), sorted: isFound };
    const { items, nextCursor } = await keysetPage(query, order, { limit, cursor });
    return { items: items.map(assetView), nextCursor };
  }

  /** Throws `NOT_FOUND` for an asset that is not there or not the caller's. */
  async get(caller: UserPrincipal, id: string): Promise<AssetView> {
    return assetView(requireSeen(caller, id, await this.dataSource.manager.findOneBy(AssetEntity, { id })));
  }

  /** Throws `NOT_FOUND` for a root that is not there or not the caller's. */
  tree(caller: UserPrincipal, query: AssetTreeQuery): Promise<AssetTree> {
    return assetTree(this.dataSource, caller, query);
  }

  /** Throws `INVALID_INPUT` for a customer that is not the caller's and for an unknown profile. */
  async create(caller: UserPrincipal, document: AssetDocument): Promise<AssetView> {
    const change = this.by(caller);
    return inTransaction(this.dataSource, async (manager) => {
      const { customer = caller.role === 'admin' ? null : caller.customerId } = document;
      const row = manager.create(AssetEntity, {
        ...rowOf({
          ...columnsOf(document),
          customerId: await placeOf(manager, caller, customer),
          profileId: await profileIdOf(manager, ASSET_PROFILE, document.profile),
        }),
        id: uuid7(change.now),
        identityKey: null,
        version: 1,
        createdAt: new Date(change.now),
        updatedAt: new Date(change.now),
      });
      await orGone(() => manager.insert(AssetEntity, row as object));
      await audit(manager, change.now, actorsChange(change.actor, 'asset.created', row));
      return assetView(row);
    });
  }

  /**
   * Throws as {@link create}, and `NOT_FOUND`, `VERSION_MISMATCH`, `STILL_RELATED` for a move to another customer while it has
   * relations: they never join two customers.
   */
  async change(caller: UserPrincipal, id: string, patch: AssetPatch, ifMatch: string | undefined): Promise<AssetView> {
    const { actor, now } = this.by(caller);
    return inTransaction(this.dataSource, async (manager) => {
      const before = await lockedAsset(manager, caller, id);
      requireMatch(ifMatch, before.version);
      const columns = await patched(manager, caller, before, patch);
      if (columns.customerId !== before.customerId) await requireUnrelated(manager, id);
      const after = { ...before, ...rowOf(columns), version: before.version + 1, updatedAt: new Date(now) };
      await orGone(() => manager.update(AssetEntity, { id }, after as object));
      const changes = changesBetween(described(before), described(after));
      if (Object.keys(changes).length > 0) {
        await audit(manager, now, { ...actorsChange(actor, 'asset.updated', after), changes });
      }
      return assetView(after);
    });
  }

  /** Relations to it go with it. Throws `NOT_FOUND`, `ASSET_IN_USE` while it has relations to others, `VERSION_MISMATCH`. */
  async remove(caller: UserPrincipal, id: string, ifMatch: string | undefined): Promise<void> {
    const change = this.by(caller);
    await inTransaction(this.dataSource, async (manager) => {
      const row = await lockedAsset(manager, caller, id);
      requireMatch(ifMatch, row.version);
      await deleteRelations(manager, await manager.findBy(RelationEntity, { toAssetId: id }), change);
      try {
        await manager.delete(AssetEntity, { id });
      } catch (error) {
        throw isForeignKeyViolation(error) ? inUse(row) : error;
      }
      await audit(manager, change.now, actorsChange(change.actor, 'asset.deleted', row));
    });
  }

  private by(caller: UserPrincipal): Change {
    return { actor: actorOf(caller), now: this.now() };
  }
}

const lockedAsset = async (manager: EntityManager, caller: UserPrincipal, id: string): Promise<AssetEntity> =>
  requireSeen(caller, id, await manager.findOne(AssetEntity, { where: { id }, lock: rowLock(manager) }));

/** What the asset is given was there a moment ago. Only on MySQL, which names the constraint: SQLite runs one transaction at a time. */
async function orGone(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof Error) || !isForeignKeyViolation(error)) throw error;
    const path = error.message.includes('fk_assets_customer') ? '/customer' : '/profile';
    throw invalidInput(path, 'was deleted just now');
  }
}

/** The columns after a merge patch; throws a ZodError for a result that is no asset. */
async function patched(
  manager: EntityManager,
  caller: UserPrincipal,
  before: AssetEntity,
  patch: AssetPatch,
): Promise<AssetColumns> {
  const document = AssetDocument.parse(mergePatch(documentOf(before), patch));
  const { customer = null, profile } = document;
  return {
    ...columnsOf(document),
    customerId: customer === before.customerId ? customer : await placeOf(manager, caller, customer),
    profileId: profile === before.profileId ? profile : await profileIdOf(manager, ASSET_PROFILE, profile),
  };
}

const columnsOf = ({ name, latitude, longitude, attributes }: AssetDocument) => ({
  name,
  latitude,
  longitude,
  attributes,
});

const rowOf = (columns: AssetColumns) => ({ ...columns, sortName: columns.name.toLowerCase() });

const documentOf = ({ name, profileId, customerId, latitude, longitude, attributes }: AssetEntity): AssetDocument => ({
  name,
  profile: profileId,
  customer: customerId,
  latitude,
  longitude,
  attributes,
});

/** What of an asset the audit trail compares. */
function described(row: AssetEntity): object {
  const { version: _version, updatedAt: _updatedAt, ...rest } = assetView(row);
  return rest;
}

const inUse = ({ id, name }: AssetEntity): CodedError =>
  new CodedError(
    'ASSET_IN_USE',
    `"${name}" still contains something, or has other relations: end those first (GET /api/assets/${id}/relations?direction=from shows them).`,
  );
