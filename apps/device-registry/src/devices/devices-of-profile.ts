import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, MoreThan } from 'typeorm';
import type { DeviceRef, RpcRequest } from '#contracts';
import { REGISTRY } from '../data-source-name.ts';
import { DeviceEntity } from './device.entity.ts';
import { deviceRef } from './device.schemas.ts';

/** Devices that have a profile in common, a page at a time, in the order of their ids. */
@Injectable()
export class DevicesOfProfile {
  constructor(@InjectDataSource(REGISTRY) private readonly dataSource: DataSource) {}

  async page({ profileId, after, limit }: RpcRequest<'registry.devices.ofProfile'>): Promise<DeviceRef[]> {
    const rows = await this.dataSource.manager.find(DeviceEntity, {
      where: { profileId, ...(after === undefined ? {} : { id: MoreThan(after) }) },
      order: { id: 'ASC' },
      take: limit,
    });
    return rows.map(deviceRef);
  }
}
