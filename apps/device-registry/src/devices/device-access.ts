import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { CodedError, type DeviceAction, type DeviceRef, type Principal } from '#contracts';
import { REGISTRY } from '../data-source-name.ts';
import { allows } from './device-policy.ts';
import { DeviceEntity } from './device.entity.ts';
import { deviceRef } from './device.schemas.ts';
import { shareOf } from '../people/shares.ts';

/** Answers other services whether somebody may do something with a device. */
@Injectable()
export class DeviceAccess {
  constructor(@InjectDataSource(REGISTRY) private readonly dataSource: DataSource) {}

  /**
   * The device of that id, else, for a gateway, the one of that name behind it. Throws `DEVICE_NOT_ALLOWED`, in the same words
   * whether or not there is such a device.
   */
  async authorize(principal: Principal, device: string, action: DeviceAction): Promise<DeviceRef> {
    const row = (await this.byId(device)) ?? (await this.childNamed(principal, device));
    if (row && allows(principal, action, row, await shareOf(this.dataSource.manager, principal, row)))
      return deviceRef(row);
    throw new CodedError(
      'DEVICE_NOT_ALLOWED',
      `"${device}" is not a device that you may ${action}: name one by its id, or behind your own gateway by its name.`,
    );
  }

  private byId(id: string): Promise<DeviceEntity | null> {
    return this.dataSource.manager.findOneBy(DeviceEntity, { id });
  }

  private async childNamed(principal: Principal, name: string): Promise<DeviceEntity | null> {
    if (principal.kind !== 'device') return null;
    return this.dataSource.manager.findOneBy(DeviceEntity, { masterId: principal.device.id, name });
  }
}
