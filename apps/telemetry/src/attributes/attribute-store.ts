import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, IsNull, LessThanOrEqual, Not, type EntityManager } from 'typeorm';
import type { AttributesChange } from '#contracts';
import { CLOCK, requireMatch, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import type { AttributesUpdate } from '../link/device-link.ts';
import { AttributeEntity, TwinEntity, type AttributeScope } from './attribute.entity.ts';
import { keysOf, planWrite, type AttributesPatch, type ScopeChange } from './attribute-write.ts';

/** The outcome of a write: the version that the device's attributes have now, and what changed, if anything did. */
export interface Written {
  version: number;
  changes: AttributesChange[];
}

export interface WriteOptions {
  /** The person who writes; null for the device, or the platform for it. */
  by: string | null;
  /** An `If-Match` header. */
  ifMatch?: string | undefined;
  /** The device is told of all of it again, also of what stays as it is. */
  again?: boolean;
}

/** Attributes as they are kept. A device's writes are in order: each holds the device's twin until it is done. */
@Injectable()
export class AttributeStore {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async version(deviceId: string): Promise<number> {
    return (await this.twin(deviceId)).version;
  }

  /** How many writes there were, and the newest one of which the device knows. */
  async twin(deviceId: string): Promise<Pick<TwinEntity, 'version' | 'deliveredVersion'>> {
    return (await this.manager.findOneBy(TwinEntity, { deviceId })) ?? { version: 0, deliveredVersion: 0 };
  }

  /** Attributes that are there, in order of their keys. */
  async find(
    deviceId: string,
    narrowed: { scope?: AttributeScope; keys?: readonly string[] } = {},
  ): Promise<AttributeEntity[]> {
    const { scope, keys } = narrowed;
    return this.manager.find(AttributeEntity, {
      where: { deviceId, value: Not(IsNull()), ...(scope && { scope }), ...(keys && { key: In([...keys]) }) },
      order: { key: 'ASC' },
    });
  }

  /** Throws `BAD_ATTRIBUTE`, `ATTRIBUTES_TOO_LARGE`, `VERSION_MISMATCH`: then nothing is written. */
  write(deviceId: string, patch: AttributesPatch, options: WriteOptions): Promise<Written> {
    return inTransaction(this.dataSource, (manager) => this.writeWithin(manager, deviceId, patch, options));
  }

  /** As {@link write}, as part of a transaction that goes on. */
  async writeWithin(
    manager: EntityManager,
    deviceId: string,
    patch: AttributesPatch,
    { by, ifMatch, again = false }: WriteOptions,
  ): Promise<Written> {
    const asked = keysOf(patch);
    const twin = await this.hold(manager, deviceId);
    requireMatch(ifMatch, twin.version);
    const plan = planWrite(await storedOf(manager, deviceId, asked), patch, twin, again);
    if (plan.changes.size === 0) return { version: twin.version, changes: [] };
    const version = twin.version + 1;
    const at = this.now();
    for (const [scope, change] of plan.changes) {
      await apply(manager, change, { deviceId, scope, version, updatedAt: new Date(at), updatedBy: by });
    }
    const counts = { version, keys: twin.keys + plan.keys, bytes: twin.bytes + plan.bytes };
    await manager.update(TwinEntity, { deviceId }, counts);
    return { version, changes: [...plan.changes].map(([scope, change]) => ({ scope, version, ...change, at })) };
  }

  /** The oldest write of shared attributes that the device does not have, as far as it still holds; null if it has all. */
  async nextUpdate(deviceId: string): Promise<AttributesUpdate | null> {
    const oldest = await this.manager
      .createQueryBuilder(AttributeEntity, 'attribute')
      .innerJoin(TwinEntity, 'twin', 'twin.deviceId = attribute.deviceId')
      .where("attribute.deviceId = :deviceId AND attribute.scope = 'shared'", { deviceId })
      .andWhere('attribute.version > twin.deliveredVersion')
      .orderBy('attribute.version')
      .limit(1)
      .getOne();
    if (!oldest) return null;
    const { version } = oldest;
    const rows = await this.manager.findBy(AttributeEntity, { deviceId, scope: 'shared', version });
    const [deleted, changed] = [rows.filter(isDeleted), rows.filter((row) => !isDeleted(row))];
    return {
      version,
      changed: Object.fromEntries(changed.map(({ key, value }) => [key, value])),
      deleted: deleted.map(({ key }) => key),
    };
  }

  /** Those of the devices that do not have all their shared attributes. */
  async waiting(deviceIds: readonly string[]): Promise<string[]> {
    if (deviceIds.length === 0) return [];
    const twins = await this.manager
      .createQueryBuilder(TwinEntity, 'twin')
      .where('twin.deviceId IN (:...deviceIds)', { deviceIds })
      .andWhere('twin.version > twin.deliveredVersion')
      .andWhere(
        "EXISTS (SELECT 1 FROM attributes a WHERE a.device_id = twin.deviceId AND a.scope = 'shared' AND a.version > twin.deliveredVersion)",
      )
      .getMany();
    return twins.map(({ deviceId }) => deviceId);
  }

  /** The device has everything up to this write: what it need not be told any more is forgotten. */
  async delivered(deviceId: string, version: number): Promise<void> {
    await this.manager
      .createQueryBuilder()
      .update(TwinEntity)
      .set({ deliveredVersion: version })
      .where('deviceId = :deviceId AND deliveredVersion < :version', { deviceId, version })
      .execute();
  }

  /** Deleted attributes of which the device knows. */
  sweep(deviceId: string): Promise<void> {
    return inTransaction(this.dataSource, async (manager) => {
      const twin = await manager.findOne(TwinEntity, { where: { deviceId }, lock: rowLock(manager) });
      if (!twin) return;
      const known = {
        deviceId,
        scope: 'shared',
        value: IsNull(),
        version: LessThanOrEqual(twin.deliveredVersion),
      } as const;
      const rows = await manager.find(AttributeEntity, { select: { key: true }, where: known });
      if (rows.length === 0) return;
      await manager.delete(AttributeEntity, known);
      const bytes = rows.reduce((sum, { key }) => sum + Buffer.byteLength(key), 0);
      await manager.update(TwinEntity, { deviceId }, { keys: twin.keys - rows.length, bytes: twin.bytes - bytes });
    });
  }

  /** The device is no more. */
  async forget(deviceId: string): Promise<void> {
    await this.manager.delete(AttributeEntity, { deviceId });
    await this.manager.delete(TwinEntity, { deviceId });
  }

  /** The device's twin, made if need be, which nobody else writes before the end of the transaction. */
  async hold(manager: EntityManager, deviceId: string): Promise<TwinEntity> {
    const find = () => manager.findOne(TwinEntity, { where: { deviceId }, lock: rowLock(manager) });
    const twin = await find();
    if (twin) return twin;
    await manager.createQueryBuilder().insert().into(TwinEntity).values({ deviceId }).orIgnore().execute();
    return manager.findOneOrFail(TwinEntity, { where: { deviceId }, lock: rowLock(manager) });
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

const isDeleted = ({ value }: AttributeEntity): boolean => value === null;

async function storedOf(
  manager: EntityManager,
  deviceId: string,
  asked: readonly [AttributeScope, string[]][],
): Promise<AttributeEntity[]> {
  const rows: AttributeEntity[] = [];
  for (const [scope, keys] of asked) {
    if (keys.length > 0) rows.push(...(await manager.findBy(AttributeEntity, { deviceId, scope, key: In(keys) })));
  }
  return rows;
}

/** Writes one scope's change. Of shared attributes that are deleted a mark stays until the device knows. */
async function apply(
  manager: EntityManager,
  { changed, deleted }: ScopeChange,
  row: Omit<AttributeEntity, 'key' | 'value'>,
): Promise<void> {
  const { deviceId, scope } = row;
  const kept = Object.entries(changed);
  if (scope === 'shared') kept.push(...deleted.map((key): [string, unknown] => [key, null]));
  else if (deleted.length > 0) await manager.delete(AttributeEntity, { deviceId, scope, key: In(deleted) });
  if (kept.length === 0) return;
  await manager
    .createQueryBuilder()
    .insert()
    .into(AttributeEntity)
    .values(kept.map(([key, value]) => ({ ...row, key, value: value ?? null })))
    .orUpdate(['value', 'version', 'updated_at', 'updated_by'], ['device_id', 'scope', 'attribute_key'])
    .execute();
}
