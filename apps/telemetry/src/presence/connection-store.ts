import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, IsNull, LessThan, type EntityManager } from 'typeorm';
import type { Page } from '#contracts';
import { uuid7, uuid7Floor } from '#platform';
import { insertRows, inTransaction, keysetPage, rowLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import { Replica } from '../link/replica.ts';
import { ConnectionEntity, ConnectionEventEntity, LinkReplicaEntity } from './connection.entity.ts';
import { merge, unknownConnection, type Entry, type Merged, type PresenceNews } from './presence-news.ts';

const NEWEST_FIRST = { sort: '-id', property: 'id', descending: true } as const;
/** Rows that one statement inserts or deletes. */
const ROWS_AT_ONCE = 1_000;
/** Columns of a connection that news change. */
const CHANGING = [
  'online',
  'since',
  'last_seen',
  'via',
  'link_id',
  'replica_id',
  'replica',
  'address',
  'protocol',
  'client_id',
  'reason',
  'silent_at',
  'will_topic',
  'will_payload',
  'will_at',
];

/** News of one device, in order. */
export interface DeviceNews {
  deviceId: string;
  news: readonly PresenceNews[];
}

/** How devices are connected, and what their replicas are. */
@Injectable()
export class ConnectionStore {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(Replica) private readonly replica: Replica,
  ) {}

  find(deviceId: string): Promise<ConnectionEntity | null> {
    return this.manager.findOneBy(ConnectionEntity, { deviceId });
  }

  /** What happened to a device's connection, newest first. */
  history(
    deviceId: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConnectionEventEntity>> {
    const query = this.dataSource
      .getRepository(ConnectionEventEntity)
      .createQueryBuilder('event')
      .where('event.deviceId = :deviceId', { deviceId });
    return keysetPage(query, NEWEST_FIRST, page);
  }

  /** Takes in the news of many devices, each once, in one transaction; gives their connections as they are then. */
  takeIn(devices: readonly DeviceNews[]): Promise<Merged[]> {
    return inTransaction(this.dataSource, async (manager) => {
      const rows = await lockedRows(manager, devices.map(({ deviceId }) => deviceId).sort());
      const merged = devices.map(({ deviceId, news }) =>
        merge(rows.get(deviceId) ?? unknownConnection(deviceId), news, this.replica),
      );
      await write(manager, merged);
      return merged;
    });
  }

  /** When devices were last heard of, ms since the epoch. */
  async seen(devices: readonly { deviceId: string; lastSeen: number }[]): Promise<void> {
    for (let from = 0; from < devices.length; from += ROWS_AT_ONCE) {
      const some = devices.slice(from, from + ROWS_AT_ONCE);
      await this.manager.query(
        `UPDATE connections SET last_seen = CASE device_id ${some.map(() => 'WHEN ? THEN ?').join(' ')} END WHERE device_id IN (${some.map(() => '?').join(', ')})`,
        [
          ...some.flatMap(({ deviceId, lastSeen }) => [deviceId, new Date(lastSeen)]),
          ...some.map(({ deviceId }) => deviceId),
        ],
      );
    }
  }

  /** Devices without a link that have been silent for too long by `time`, ms since the epoch. */
  async silent(time: number): Promise<string[]> {
    const rows = await this.manager.find(ConnectionEntity, {
      select: { deviceId: true },
      where: { silentAt: LessThan(new Date(time)) },
      take: ROWS_AT_ONCE,
    });
    return rows.map(({ deviceId }) => deviceId);
  }

  /** Raises this replica's beat. False if others took it for dead, or it is new: it is alive from now on. */
  async beat(): Promise<boolean> {
    const { id, name } = this.replica;
    const { affected } = await this.manager.increment(LinkReplicaEntity, { id }, 'beat', 1);
    if (affected === 1) return true;
    await this.manager.insert(LinkReplicaEntity, { id, name, beat: 1 });
    return false;
  }

  replicas(): Promise<LinkReplicaEntity[]> {
    return this.manager.find(LinkReplicaEntity);
  }

  /**
   * A replica is gone: the devices that it held are offline, all in one transaction. None, if it has raised its beat since, or
   * somebody else has done it.
   */
  bury({ id, beat }: Pick<LinkReplicaEntity, 'id' | 'beat'>, at: number, reason: string): Promise<ConnectionEntity[]> {
    return inTransaction(this.dataSource, async (manager) => {
      const { affected } = await manager.delete(LinkReplicaEntity, { id, beat });
      return affected === 1 ? endAllOf(manager, id, at, reason) : [];
    });
  }

  /** This replica ends: so do its links. */
  leave(at: number, reason: string): Promise<ConnectionEntity[]> {
    const { id } = this.replica;
    return inTransaction(this.dataSource, async (manager) => {
      await manager.delete(LinkReplicaEntity, { id });
      return endAllOf(manager, id, at, reason);
    });
  }

  /** The device is no more. */
  async forget(deviceId: string): Promise<void> {
    await this.manager.delete(ConnectionEntity, { deviceId });
    await this.manager.delete(ConnectionEventEntity, { deviceId });
  }

  /** Deletes what happened before `time`, ms since the epoch. */
  async prune(time: number): Promise<void> {
    const oldest = uuid7Floor(time);
    for (;;) {
      const old = await this.manager.find(ConnectionEventEntity, {
        select: { id: true },
        where: { id: LessThan(oldest) },
        order: { id: 'ASC' },
        take: ROWS_AT_ONCE,
      });
      if (old.length > 0) await this.manager.delete(ConnectionEventEntity, { id: In(old.map(({ id }) => id)) });
      if (old.length < ROWS_AT_ONCE) return;
    }
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

/** The connections of these devices, which nobody else changes before the end; those that there are none of are made. */
async function lockedRows(manager: EntityManager, deviceIds: string[]): Promise<Map<string, ConnectionEntity>> {
  const find = (ids: string[]) =>
    manager.find(ConnectionEntity, { where: { deviceId: In(ids) }, lock: rowLock(manager) });
  const rows = new Map((await find(deviceIds)).map((row) => [row.deviceId, row]));
  const missing = deviceIds.filter((deviceId) => !rows.has(deviceId));
  if (missing.length === 0) return rows;
  await insertRows(manager, ConnectionEntity, missing.map(unknownConnection), 'ignore');
  for (const row of await find(missing)) rows.set(row.deviceId, row);
  return rows;
}

async function write(manager: EntityManager, merged: readonly Merged[]): Promise<void> {
  await insertRows(
    manager,
    ConnectionEntity,
    merged.map(({ row }) => row),
    { key: 'device_id', update: CHANGING },
  );
  await record(
    manager,
    merged.flatMap(({ row, entries }) => entries.map((entry) => ({ ...entry, deviceId: row.deviceId }))),
  );
}

const record = (manager: EntityManager, entries: readonly (Entry & { deviceId: string })[]): Promise<void> =>
  insertRows(
    manager,
    ConnectionEventEntity,
    entries.map((entry) => ({ ...entry, id: uuid7() })),
  );

/** Every device that is connected by a link of the replica is offline. */
async function endAllOf(
  manager: EntityManager,
  replicaId: string,
  at: number,
  reason: string,
): Promise<ConnectionEntity[]> {
  const rows = await manager.find(ConnectionEntity, {
    where: { replicaId, online: true, silentAt: IsNull() },
    order: { deviceId: 'ASC' },
    lock: rowLock(manager),
  });
  if (rows.length === 0) return [];
  const since = new Date(at);
  await manager.update(
    ConnectionEntity,
    { replicaId, online: true, silentAt: IsNull() },
    { online: false, since, reason },
  );
  const ended = rows.map((row): ConnectionEntity => ({ ...row, online: false, since, reason }));
  await record(
    manager,
    ended.map(({ deviceId, via, replica, address }) => ({
      deviceId,
      kind: 'offline',
      at: since,
      via,
      replica,
      address,
      reason,
      topic: null,
    })),
  );
  return ended;
}
