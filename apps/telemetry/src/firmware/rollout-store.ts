import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, MoreThan, type EntityManager } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, keysetPage, rowLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import { DeviceFirmwareEntity, RolloutEntity } from './firmware.entity.ts';
import { NOT_BEGUN } from './firmware-reports.ts';
import { countsOf, NO_DEVICES, type RolloutCounts } from './rollout-view.ts';

const NEWEST_FIRST = { sort: '-id', property: 'id', descending: true } as const;
/** Devices that are read at a time. */
const DEVICES_AT_ONCE = 200;

/** States of a rollout that still gives its package out: one that is done goes on when more devices come. */
export const LIVE = ['running', 'done'] as const satisfies RolloutEntity['state'][];

/** Rollouts as they are kept. */
@Injectable()
export class RolloutStore {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  find(id: string): Promise<RolloutEntity | null> {
    return this.manager.findOneBy(RolloutEntity, { id });
  }

  /** Those that somebody may see, newest first. */
  page(
    { role, customerId }: Pick<UserPrincipal, 'role' | 'customerId'>,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<RolloutEntity>> {
    const query = this.dataSource.getRepository(RolloutEntity).createQueryBuilder('rollout');
    if (role !== 'admin') query.where('rollout.customerId = :customerId', { customerId });
    return keysetPage(query, NEWEST_FIRST, page);
  }

  /** Those that still give their package out, newest first. */
  live(): Promise<RolloutEntity[]> {
    return this.manager.find(RolloutEntity, { where: { state: In([...LIVE]) }, order: { id: 'DESC' } });
  }

  running(): Promise<RolloutEntity[]> {
    return this.manager.findBy(RolloutEntity, { state: 'running' });
  }

  async insert(rollout: RolloutEntity): Promise<void> {
    await this.manager.insert(RolloutEntity, rollout);
  }

  async counts(rollout: RolloutEntity): Promise<RolloutCounts> {
    const [counts] = await this.countsOfAll([rollout]);
    return counts ?? NO_DEVICES;
  }

  /** The counts of rollouts, in their order. */
  async countsOfAll(rollouts: readonly RolloutEntity[]): Promise<RolloutCounts[]> {
    if (rollouts.length === 0) return [];
    const rows = await this.manager
      .createQueryBuilder(DeviceFirmwareEntity, 'device')
      .select('device.rolloutId', 'rollout')
      .addSelect('device.state', 'state')
      .addSelect('COUNT(*)', 'devices')
      .where('device.rolloutId IN (:...ids)', { ids: rollouts.map(({ id }) => id) })
      .groupBy('device.rolloutId')
      .addGroupBy('device.state')
      .getRawMany<{ rollout: string; state: DeviceFirmwareEntity['state']; devices: number }>();
    return rollouts.map((rollout) => {
      const own = rows.filter((row) => row.rollout === rollout.id);
      return countsOf(rollout, new Map(own.map(({ state, devices }) => [state, Number(devices)])));
    });
  }

  /** Gives a larger share. Throws `ROLLOUT_ENDED`, and `CONFLICT` for a smaller one. */
  raise(id: string, percent: number): Promise<RolloutEntity> {
    return inTransaction(this.dataSource, async (manager) => {
      const rollout = await manager.findOneOrFail(RolloutEntity, { where: { id }, lock: rowLock(manager) });
      refuseIfEnded(rollout);
      if (percent < rollout.percent) {
        throw new CodedError(
          'CONFLICT',
          `The share is ${String(rollout.percent)} percent and can only be raised: cancel the rollout to take the package from devices that have not begun.`,
        );
      }
      if (percent === rollout.percent) return rollout;
      const change = { percent, state: 'running', finishedAt: null, toScan: true, scannedTo: null } as const;
      await manager.update(RolloutEntity, { id }, change);
      return { ...rollout, ...change };
    });
  }

  /** Ends a rollout that gives its package out: devices that have not begun lose it. False if it had ended before. */
  async end(id: string, state: 'stopped' | 'cancelled', message: string): Promise<boolean> {
    const { affected } = await this.manager.update(
      RolloutEntity,
      { id, state: In([...LIVE]) },
      { state, message, finishedAt: new Date(this.now()), toScan: false, toWithdraw: true },
    );
    return affected === 1;
  }

  /** Every device that it was given to has ended, and no more are known. False if that is not so any more. */
  async finish(id: string): Promise<boolean> {
    const { affected } = await this.manager.update(
      RolloutEntity,
      { id, state: 'running', toScan: false },
      { state: 'done', finishedAt: new Date(this.now()) },
    );
    return affected === 1;
  }

  /** Devices that have not begun with the package of a rollout, some at a time. */
  async notBegun(rolloutId: string, after = ''): Promise<string[]> {
    const rows = await this.manager.find(DeviceFirmwareEntity, {
      select: { deviceId: true, kind: true },
      where: { rolloutId, state: In([...NOT_BEGUN]), deviceId: MoreThan(after) },
      order: { deviceId: 'ASC' },
      take: DEVICES_AT_ONCE,
    });
    return rows.map(({ deviceId }) => deviceId);
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

/** Throws `ROLLOUT_ENDED`. */
export function refuseIfEnded({ id, state }: RolloutEntity): void {
  if (state === 'running' || state === 'done') return;
  throw new CodedError('ROLLOUT_ENDED', `Rollout ${id} was ${state}: start a new one.`);
}
