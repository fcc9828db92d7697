import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, IsNull, type EntityManager } from 'typeorm';
import { CodedError, type DeviceRef } from '#contracts';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { inTransaction, sharedLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import { DeviceFirmwareStore, type Assignment } from './device-firmware-store.ts';
import { RolloutEntity } from './firmware.entity.ts';
import { PackageStore } from './package-store.ts';
import { placeOf } from './rollout-view.ts';

/** Injection symbol of the name under which this process holds rollouts. */
export const ROLLOUT_HOLDER = Symbol('ROLLOUT_HOLDER');

/** How long a process has a rollout before another one may take it over, in ms. */
const LEASE_MS = 15_000;
/** Devices that are assigned in one transaction. */
const DEVICES_TOGETHER = 20;

/** Rollouts on which there is work, each worked on by one process at a time: the one that holds it. */
@Injectable()
export class RolloutQueue {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(DeviceFirmwareStore) private readonly devices: DeviceFirmwareStore,
    @Inject(PackageStore) private readonly packages: PackageStore,
    @Inject(ROLLOUT_HOLDER) private readonly holder: string,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /** The rollout that has waited longest, held from now on; null if there is none that nobody holds. */
  async take(): Promise<RolloutEntity | null> {
    const free = '(lease_until IS NULL OR lease_until <= :now)';
    const isToDo = `(to_scan = :yes OR to_withdraw = :yes) AND ${free}`;
    const parameters = { now: new Date(this.now()), yes: true };
    const next = await this.manager
      .createQueryBuilder(RolloutEntity, 'rollout')
      .where(isToDo, parameters)
      .orderBy('rollout.leaseUntil')
      .addOrderBy('rollout.id')
      .limit(1)
      .getOne();
    if (!next) return null;
    const lease = { leaseHolder: this.holder, leaseUntil: new Date(this.now() + LEASE_MS) };
    const { affected } = await this.manager
      .createQueryBuilder()
      .update(RolloutEntity)
      .set(lease)
      .where(`id = :id AND ${isToDo}`, { ...parameters, id: next.id })
      .execute();
    return affected === 1 ? { ...next, ...lease } : this.take();
  }

  async renew(id: string): Promise<void> {
    await this.manager.update(RolloutEntity, this.held(id), { leaseUntil: new Date(this.now() + LEASE_MS) });
  }

  /** Lets others have it, after those that have waited longer. */
  async release(id: string): Promise<void> {
    await this.manager.update(RolloutEntity, this.held(id), { leaseHolder: null, leaseUntil: new Date(this.now()) });
  }

  /** Notes up to which device the profile was looked through; false if somebody else holds the rollout, it has ended or begins anew. */
  async scanned(rollout: RolloutEntity, to: string): Promise<boolean> {
    const from = rollout.scannedTo ?? IsNull();
    const { affected } = await this.manager.update(
      RolloutEntity,
      { ...this.held(rollout.id), scannedTo: from, percent: rollout.percent, toScan: true },
      { scannedTo: to },
    );
    return affected === 1;
  }

  /** The whole profile was looked through, unless it begins anew. */
  async allScanned(rollout: RolloutEntity): Promise<void> {
    const { id, percent } = rollout;
    await this.manager.update(RolloutEntity, { ...this.held(id), percent }, { toScan: false });
  }

  async allWithdrawn(id: string): Promise<void> {
    await this.manager.update(RolloutEntity, this.held(id), { toWithdraw: false });
  }

  /** Gives the package to those of these devices that are in the rollout's share and do not have it; none once it has ended. */
  async assign(rollout: RolloutEntity, devices: readonly DeviceRef[]): Promise<Assignment[]> {
    const chosen = devices.filter((device) => isChosen(device, rollout)).map(({ id }) => id);
    const assignments: Assignment[] = [];
    for (let first = 0; first < chosen.length; first += DEVICES_TOGETHER) {
      assignments.push(...(await this.assignTogether(rollout.id, chosen.slice(first, first + DEVICES_TOGETHER))));
    }
    return assignments;
  }

  private assignTogether(rolloutId: string, deviceIds: readonly string[]): Promise<Assignment[]> {
    return inTransaction(this.dataSource, async (manager) => {
      const rollout = await manager.findOne(RolloutEntity, { where: { id: rolloutId }, lock: sharedLock(manager) });
      if (rollout?.state !== 'running' && rollout?.state !== 'done') return [];
      const held = await this.packages.held(manager, rollout.packageId);
      if (!held) return [];
      const assignments: Assignment[] = [];
      for (const deviceId of deviceIds) {
        const assignment = await this.devices
          .assignByRollout(manager, deviceId, rollout, held)
          .catch((error: unknown) => this.leftOut(deviceId, rollout, error));
        if (assignment) assignments.push(assignment);
      }
      if (assignments.length > 0 && rollout.state === 'done') {
        await manager.update(RolloutEntity, { id: rolloutId, state: 'done' }, { state: 'running', finishedAt: null });
      }
      return assignments;
    });
  }

  /** A device that has no room for the package's attributes does not keep the others waiting. */
  private leftOut(deviceId: string, { id }: RolloutEntity, error: unknown): null {
    if (!(error instanceof CodedError)) throw error;
    this.log.warn({ deviceId, rolloutId: id, code: error.code }, `a device is left out of a rollout: ${error.message}`);
    return null;
  }

  private held(id: string): { id: string; leaseHolder: string } {
    return { id, leaseHolder: this.holder };
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

/** Is a device in the share of a rollout? */
export const isChosen = (
  { id, profileId, customerId }: Pick<DeviceRef, 'id' | 'profileId' | 'customerId'>,
  rollout: Pick<RolloutEntity, 'packageId' | 'profileId' | 'customerId' | 'percent'>,
): boolean =>
  profileId === rollout.profileId &&
  (rollout.customerId === null || rollout.customerId === customerId) &&
  placeOf(rollout.packageId, id) < rollout.percent;
