import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, type EntityManager, type EntityTarget, type SelectQueryBuilder } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, invalidInput, type Clock } from '#platform';
import { inTransaction, isUniqueViolation, keysetPage, rowLock, type Order } from '#sql';
import { requireSeen, seesCustomer } from '../assets/asset-query.ts';
import { AssetEntity } from '../assets/asset.entity.ts';
import { actorOf } from '../audit/audit.ts';
import { REGISTRY } from '../data-source-name.ts';
import type { Change } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { narrowTo } from '../narrowing.ts';
import { RelationEntity, RelationTypeEntity } from './relation.entity.ts';
import { deleteRelations, heldEnd, insertRelation, type RelationEnd } from './relation-rows.ts';
import {
  relationView,
  type AssetRelationsQuery,
  type RelationDocument,
  type RelationQuery,
  type RelationView,
} from './relation.schemas.ts';

/** As they were made: ids are in the order of time. */
const BY_CREATION: Order<RelationEntity> = { sort: 'createdAt', property: 'id', descending: false };

/** Relations: administrators keep all, operators those of their customer. */
@Injectable()
export class Relations {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  list(caller: UserPrincipal, { from, to, type, ...page }: RelationQuery): Promise<Page<RelationView>> {
    const query = this.dataSource.getRepository(RelationEntity).createQueryBuilder('relation');
    const asked = from !== undefined || to !== undefined;
    narrowTo(query, 'customerId', caller.role === 'admin' ? undefined : (caller.customerId ?? ''), { asked });
    narrowTo(query, 'type', type, { asked });
    narrowTo(query, 'fromId', from, { asked: to !== undefined });
    narrowTo(query, 'toId', to);
    return this.page(query, page);
  }

  /** Those that lead from an asset, or to it. Throws `NOT_FOUND` for an asset that the caller may not see. */
  async ofAsset(
    caller: UserPrincipal,
    id: string,
    { direction, ...page }: AssetRelationsQuery,
  ): Promise<Page<RelationView>> {
    requireSeen(caller, id, await this.dataSource.manager.findOneBy(AssetEntity, { id }));
    return this.list(caller, { ...page, [direction]: id });
  }

  /**
   * Throws `INVALID_INPUT` for an end that is not there or not the caller's, in the same words, and for ends of two customers;
   * `RELATION_CYCLE`, `RELATION_EXISTS`.
   */
  async create(caller: UserPrincipal, { from, to, type }: RelationDocument): Promise<RelationView> {
    await this.knowType(type);
    return inTransaction(this.dataSource, async (manager) => {
      const ends = {
        from: visibleEnd(caller, '/from', 'an asset', await heldEnd(manager, 'asset', from)),
        to: visibleEnd(caller, '/to', 'an asset or a device', await eitherEnd(manager, to)),
      };
      const row = await insertRelation(manager, { ...ends, type }, this.by(caller));
      return relationView(row, new Map([ends.from, ends.to].map(({ id, name }) => [id, name])));
    });
  }

  /** Throws `NOT_FOUND`. */
  async remove(caller: UserPrincipal, id: string): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      const row = await manager.findOne(RelationEntity, { where: { id }, lock: rowLock(manager) });
      if (!row || !seesCustomer(caller, row.customerId)) {
        throw new CodedError('NOT_FOUND', `There is no relation ${id} among those you may see.`);
      }
      await deleteRelations(manager, [row], this.by(caller));
    });
  }

  /** A type has its row before the first relation of it. */
  private async knowType(type: string): Promise<void> {
    const { manager } = this.dataSource;
    if (await manager.existsBy(RelationTypeEntity, { type })) return;
    try {
      await manager.insert(RelationTypeEntity, { type });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
    }
  }

  private async page(
    query: SelectQueryBuilder<RelationEntity>,
    page: { cursor?: string | undefined; limit: number },
  ): Promise<Page<RelationView>> {
    const { items, nextCursor } = await keysetPage(query, BY_CREATION, page);
    const names = await namesOf(this.dataSource.manager, items);
    return { items: items.map((row) => relationView(row, names)), nextCursor };
  }

  private by(caller: UserPrincipal): Change {
    return { actor: actorOf(caller), now: this.now() };
  }
}

const eitherEnd = async (manager: EntityManager, id: string): Promise<RelationEnd | null> =>
  (await heldEnd(manager, 'asset', id)) ?? (await heldEnd(manager, 'device', id));

function visibleEnd(caller: UserPrincipal, path: string, what: string, end: RelationEnd | null): RelationEnd {
  if (end && seesCustomer(caller, end.customerId)) return end;
  throw invalidInput(path, `is not the id of ${what} among those you may see`);
}

async function namesOf(manager: EntityManager, rows: readonly RelationEntity[]): Promise<Map<string, string>> {
  const assets = rows.flatMap(({ fromId, toAssetId }) => (toAssetId === null ? [fromId] : [fromId, toAssetId]));
  const devices = rows.flatMap(({ toDeviceId }) => (toDeviceId === null ? [] : [toDeviceId]));
  const ends = [...(await named(manager, AssetEntity, assets)), ...(await named(manager, DeviceEntity, devices))];
  return new Map(ends.map(({ id, name }) => [id, name]));
}

async function named(
  manager: EntityManager,
  entity: EntityTarget<{ id: string; name: string }>,
  ids: readonly string[],
): Promise<{ id: string; name: string }[]> {
  if (ids.length === 0) return [];
  return manager.find(entity, { select: { id: true, name: true }, where: { id: In([...new Set(ids)]) } });
}
