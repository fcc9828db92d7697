import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, type EntityManager } from 'typeorm';
import { CodedError, type FirmwareView } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { AttributeStore, type Written } from '../attributes/attribute-store.ts';
import { TELEMETRY } from '../data-source-name.ts';
import {
  DeviceFirmwareEntity,
  PackageEntity,
  RolloutEntity,
  type DeviceFirmwareState,
  type PackageKind,
} from './firmware.entity.ts';
import { firmwareView } from './firmware-view.ts';
import { NOT_BEGUN, statesBefore, type FirmwareStep } from './firmware-reports.ts';
import { noFirmwareAttributes, packageAttributes } from './package-attributes.ts';
import { PackageStore } from './package-store.ts';

/** What a device is to have, with the package. */
export interface Assigned {
  row: DeviceFirmwareEntity;
  package: PackageEntity;
}

/** What an assignment has changed: to be told once it is committed. */
export interface Assignment {
  deviceId: string;
  view: FirmwareView | null;
  written: Written;
  /** The rollout that it took the device from. */
  leftRollout: string | null;
}

/** Which package each device is to have, and how far it is. */
@Injectable()
export class DeviceFirmwareStore {
  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(AttributeStore) private readonly attributes: AttributeStore,
    @Inject(PackageStore) private readonly packages: PackageStore,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async of(deviceId: string, kind: PackageKind): Promise<Assigned | null> {
    const row = await this.manager.findOneBy(DeviceFirmwareEntity, { deviceId, kind });
    const found = row?.packageId && (await this.packages.find(row.packageId));
    return row && found ? { row, package: found } : null;
  }

  async all(deviceId: string): Promise<Assigned[]> {
    const found = [await this.of(deviceId, 'firmware'), await this.of(deviceId, 'software')];
    return found.filter((assigned) => assigned !== null);
  }

  /** A person assigns a package, in place of any before; the same one again only if the device failed with it. Throws `NOT_FOUND`. */
  assign(deviceId: string, packageId: string, by: string): Promise<Assignment | null> {
    return inTransaction(this.dataSource, async (manager) => {
      const held = await this.packages.held(manager, packageId);
      if (!held) throw new CodedError('NOT_FOUND', `There is no package ${packageId}.`);
      const before = await this.hold(manager, deviceId, held.kind);
      if (before?.packageId === packageId && before.state !== 'failed') return null;
      return this.replace(manager, before, { deviceId, package: held, rolloutId: null, by });
    });
  }

  /** A person takes the package of a kind away. Null if there is none. */
  unassign(deviceId: string, kind: PackageKind, by: string): Promise<Assignment | null> {
    return inTransaction(this.dataSource, async (manager) => {
      const before = await this.hold(manager, deviceId, kind);
      if (!before?.packageId) return null;
      const leftRollout = await leaveRollout(manager, before);
      const now = new Date(this.now());
      await manager.update(
        DeviceFirmwareEntity,
        { deviceId, kind },
        { packageId: null, rolloutId: null, state: 'queued', bytes: 0, error: null, assignedAt: now, updatedAt: now },
      );
      const written = await this.attributes.writeWithin(manager, deviceId, noFirmwareAttributes(kind), { by });
      return { deviceId, view: null, written, leftRollout };
    });
  }

  /**
   * A rollout that goes on gives its package to a device, unless the device has it, or something that was assigned after the rollout
   * began. For a part of a transaction that holds the rollout and the package. Throws `ATTRIBUTES_TOO_LARGE` for a device that has no room
   * for the attributes of the package, having written nothing.
   */
  async assignByRollout(
    manager: EntityManager,
    deviceId: string,
    rollout: RolloutEntity,
    held: PackageEntity,
  ): Promise<Assignment | null> {
    const before = await this.hold(manager, deviceId, rollout.kind);
    if (before && !isOlder(before, rollout)) return null;
    return this.replace(manager, before, { deviceId, package: held, rolloutId: rollout.id, by: null });
  }

  /** A rollout takes its package from a device that has not begun. */
  withdraw(deviceId: string, rollout: RolloutEntity): Promise<Assignment | null> {
    const { id: rolloutId, kind } = rollout;
    return inTransaction(this.dataSource, async (manager) => {
      await this.attributes.hold(manager, deviceId);
      const { affected } = await manager.delete(DeviceFirmwareEntity, {
        deviceId,
        kind,
        rolloutId,
        state: In([...NOT_BEGUN]),
      });
      if (affected !== 1) return null;
      const written = await this.attributes.writeWithin(manager, deviceId, noFirmwareAttributes(kind), { by: null });
      return { deviceId, view: null, written, leftRollout: null };
    });
  }

  /** A device has come further with a package. Null if it has not, or has another package by now. */
  async step(
    { row, package: of }: Assigned,
    { state, error }: FirmwareStep,
    from: readonly DeviceFirmwareState[] = statesBefore(state),
  ): Promise<Assigned | null> {
    const hasFile = ['downloaded', 'verified', 'updating', 'updated'].includes(state);
    const change = { state, error, updatedAt: new Date(this.now()), ...(hasFile ? { bytes: of.size } : {}) };
    const { affected } = await this.manager.update(
      DeviceFirmwareEntity,
      { deviceId: row.deviceId, kind: row.kind, packageId: of.id, state: In([...from]) },
      change,
    );
    return affected === 1 ? { row: { ...row, ...change }, package: of } : null;
  }

  /** A device has loaded so many bytes of a package. Null if it has it not, or had loaded as many before. */
  async loaded(deviceId: string, packageId: string, bytes: number): Promise<Assigned | null> {
    const { affected } = await this.manager
      .createQueryBuilder()
      .update(DeviceFirmwareEntity)
      .set({ bytes, updatedAt: new Date(this.now()) })
      .where('deviceId = :deviceId AND packageId = :packageId AND bytes < :bytes', { deviceId, packageId, bytes })
      .execute();
    if (affected === 0) return null;
    const [row, of] = [
      await this.manager.findOneBy(DeviceFirmwareEntity, { deviceId, packageId }),
      await this.packages.find(packageId),
    ];
    return row && of ? { row, package: of } : null;
  }

  /** What these devices are to have of a kind, by their ids. */
  async rowsOf(deviceIds: readonly string[], kind: PackageKind): Promise<Map<string, DeviceFirmwareEntity>> {
    const rows = await this.manager.findBy(DeviceFirmwareEntity, { deviceId: In([...deviceIds]), kind });
    return new Map(rows.map((row) => [row.deviceId, row]));
  }

  /** The device is no more. Gives the rollouts that it was of. */
  async forget(deviceId: string): Promise<string[]> {
    const rows = await this.manager.findBy(DeviceFirmwareEntity, { deviceId });
    await this.manager.delete(DeviceFirmwareEntity, { deviceId });
    return rows.flatMap(({ rolloutId }) => rolloutId ?? []);
  }

  /** Nobody else assigns anything to the device before the end of the transaction. */
  private async hold(
    manager: EntityManager,
    deviceId: string,
    kind: PackageKind,
  ): Promise<DeviceFirmwareEntity | null> {
    await this.attributes.hold(manager, deviceId);
    return manager.findOne(DeviceFirmwareEntity, { where: { deviceId, kind }, lock: rowLock(manager) });
  }

  private async replace(
    manager: EntityManager,
    before: DeviceFirmwareEntity | null,
    {
      deviceId,
      package: of,
      rolloutId,
      by,
    }: { deviceId: string; package: PackageEntity; rolloutId: string | null; by: string | null },
  ): Promise<Assignment> {
    const again = before?.packageId === of.id;
    const written = await this.attributes.writeWithin(manager, deviceId, packageAttributes(of), { by, again });
    const leftRollout = before && (await leaveRollout(manager, before));
    const now = new Date(this.now());
    const row: DeviceFirmwareEntity = {
      deviceId,
      kind: of.kind,
      packageId: of.id,
      rolloutId,
      state: 'queued',
      bytes: 0,
      error: null,
      assignedAt: now,
      updatedAt: now,
    };
    if (before) await manager.update(DeviceFirmwareEntity, { deviceId, kind: of.kind }, row);
    else await manager.insert(DeviceFirmwareEntity, row);
    return { deviceId, view: firmwareView({ row, package: of }), written, leftRollout };
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

/** Was it assigned by an earlier rollout, or by a person before this one began? */
export const isOlder = (row: DeviceFirmwareEntity, rollout: RolloutEntity): boolean =>
  row.rolloutId === null ? row.assignedAt <= rollout.createdAt : row.rolloutId < rollout.id;

/** Counts a device for the rollout that it is taken from, by how it has ended there. Gives that rollout's id. */
async function leaveRollout(
  manager: EntityManager,
  { rolloutId, state }: DeviceFirmwareEntity,
): Promise<string | null> {
  if (rolloutId === null) return null;
  const count = state === 'updated' ? 'leftUpdated' : state === 'failed' ? 'leftFailed' : 'leftOther';
  await manager.increment(RolloutEntity, { id: rolloutId }, count, 1);
  return rolloutId;
}
