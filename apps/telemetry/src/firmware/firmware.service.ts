import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type DeviceRef } from '#contracts';
import { DeviceFirmwareStore, type Assigned } from './device-firmware-store.ts';
import type { PackageKind } from './firmware.entity.ts';
import { reportsIn, statesBefore, stepOf, type FirmwareReport, type FirmwareStep } from './firmware-reports.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { LoadedBytes } from './loaded-bytes.ts';
import { PackageStore } from './package-store.ts';
import { ReportQueue } from './report-queue.ts';

/** A package as a device is told of it. */
export interface AssignedPackage {
  package: string;
  title: string;
  version: string;
  size: number;
  fileName: string;
  /** SHA-256, lower-case hexadecimal. */
  checksum: string;
  checksumAlgorithm: 'SHA256';
}

/** What a device says of its update with a package of this name. */
export interface StateReport extends FirmwareStep {
  kind: PackageKind;
  title: string;
  version: string;
  /** Bytes of the file that it has loaded. */
  bytes: number | undefined;
}

/** Packages as devices have to do with them. */
@Injectable()
export class Firmware {
  constructor(
    @Inject(PackageStore) private readonly packages: PackageStore,
    @Inject(DeviceFirmwareStore) private readonly devices: DeviceFirmwareStore,
    @Inject(LoadedBytes) private readonly loaded: LoadedBytes,
    @Inject(FirmwareTelling) private readonly telling: FirmwareTelling,
    @Inject(ReportQueue) private readonly reports: ReportQueue,
  ) {}

  /** The package that a device is to have; null for none. */
  async assigned(deviceId: string, kind: PackageKind): Promise<AssignedPackage | null> {
    const assigned = await this.devices.of(deviceId, kind);
    if (!assigned) return null;
    const { id, title, version, size, fileName, checksum } = assigned.package;
    return { package: id, title, version, size, fileName, checksum: checksum ?? '', checksumAlgorithm: 'SHA256' };
  }

  /**
   * A part of a package's file: fewer bytes at its end, none past it. Throws `NOT_FOUND` for a package that is gone.
   * @param deviceId Who loads it: what it has loaded is counted.
   */
  async chunk(packageId: string, offset: number, length: number, deviceId?: string): Promise<Buffer> {
    const bytes = await this.packages.read(packageId, offset, length);
    if (bytes.length === 0 && (await this.packages.find(packageId)) === null) {
      throw new CodedError('NOT_FOUND', `There is no package ${packageId} any more.`);
    }
    if (deviceId !== undefined && bytes.length > 0) this.loaded.note(deviceId, packageId, offset + bytes.length);
    return bytes;
  }

  /** A part of a package's file for a device, some of it at a time; what it has loaded is counted. */
  async *stream(packageId: string, offset: number, length: number, deviceId: string): AsyncGenerator<Buffer> {
    let position = offset;
    for await (const part of this.packages.stream(packageId, offset, length)) {
      position += part.length;
      yield part;
      this.loaded.note(deviceId, packageId, position);
    }
  }

  /** A device has sent telemetry that says something of its firmware or software: worked on later, soon. Never throws. */
  reported({ id }: DeviceRef, values: Record<string, unknown>): void {
    for (const report of reportsIn(values)) this.reports.add(id, () => this.apply(id, report));
  }

  /** A device has learnt which package it is to have: noted later, soon. */
  told(deviceId: string, kind: PackageKind): void {
    const report: FirmwareReport = { kind, state: 'initiated', error: null, current: undefined };
    this.reports.add(deviceId, () => this.apply(deviceId, report));
  }

  /** A device says how far it is. Throws `FIRMWARE_NOT_ASSIGNED` for a package that it is not to have. */
  async state({ id }: DeviceRef, { kind, title, version, state, error, bytes }: StateReport): Promise<void> {
    const assigned = await this.devices.of(id, kind);
    if (assigned?.package.title !== title || assigned.package.version !== version) {
      throw new CodedError(
        'FIRMWARE_NOT_ASSIGNED',
        `The device is not to have ${kind} ${JSON.stringify(title)} ${JSON.stringify(version)}: its shared attributes say what it is to have.`,
      );
    }
    if (bytes !== undefined) this.loaded.note(id, assigned.package.id, Math.min(bytes, assigned.package.size));
    await this.step(assigned, { state, error });
  }

  private async apply(deviceId: string, report: FirmwareReport): Promise<void> {
    const assigned = await this.devices.of(deviceId, report.kind);
    const step = assigned && stepOf(report, assigned.package);
    if (step) await this.step(assigned, step);
  }

  private async step(assigned: Assigned, step: FirmwareStep): Promise<void> {
    if (!statesBefore(step.state).includes(assigned.row.state)) return;
    const stepped = await this.devices.step(assigned, step);
    if (stepped) this.telling.stepped(stepped);
  }
}
