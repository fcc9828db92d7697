import { Controller } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { RpcReply, RpcRequest } from '#contracts';
import { Rpc } from '#messaging';
import { REGISTRY } from '../data-source-name.ts';
import { DeviceProfileEntity } from './device-profile.entity.ts';

/** What other services ask about profiles. */
@Controller()
export class ProfilesHandlers {
  constructor(@InjectDataSource(REGISTRY) private readonly dataSource: DataSource) {}

  @Rpc('registry.profiles.get')
  async get({ id }: RpcRequest<'registry.profiles.get'>): Promise<RpcReply<'registry.profiles.get'>> {
    const profile = await this.dataSource.manager.findOneBy(DeviceProfileEntity, { id });
    return profile && { id, name: profile.name, inactivitySeconds: profile.inactivitySeconds };
  }
}
