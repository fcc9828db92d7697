import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type FirmwareView, type UserPrincipal } from '#contracts';
import { DeviceAccess } from '../authorise/device-access.ts';
import { deviceFor } from '../authorise/device-for.ts';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import type { PackageKind } from './firmware.entity.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { firmwareView } from './firmware-view.ts';
import { PackageStore } from './package-store.ts';
import { isFor } from './packages.service.ts';

/** Packages of single devices, as people see and choose them. */
@Injectable()
export class Assignments {
  constructor(
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(PackageStore) private readonly packages: PackageStore,
    @Inject(DeviceFirmwareStore) private readonly store: DeviceFirmwareStore,
    @Inject(FirmwareTelling) private readonly telling: FirmwareTelling,
  ) {}

  async of(caller: UserPrincipal, device: string): Promise<FirmwareView[]> {
    const { id } = await deviceFor(this.access, caller, device, 'read');
    return (await this.store.all(id)).map(firmwareView);
  }

  /** Throws `NOT_FOUND` for a package that is not for the device's customer. */
  async assign(caller: UserPrincipal, device: string, packageId: string): Promise<FirmwareView[]> {
    const { id, customerId } = await deviceFor(this.access, caller, device, 'manage');
    const found = await this.packages.find(packageId);
    if (!found || !isFor(found, customerId)) {
      throw new CodedError('NOT_FOUND', `There is no package ${packageId} that this device may have.`);
    }
    const assignment = await this.store.assign(id, packageId, caller.userId);
    if (assignment) this.telling.assigned(assignment);
    return (await this.store.all(id)).map(firmwareView);
  }

  async unassign(caller: UserPrincipal, device: string, kind: PackageKind): Promise<void> {
    const { id } = await deviceFor(this.access, caller, device, 'manage');
    const assignment = await this.store.unassign(id, kind, caller.userId);
    if (assignment) this.telling.assigned(assignment);
  }
}
