import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { actorOf } from '../audit/audit.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { enterState } from '../devices/device-states.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { requireAllowed } from '../devices/devices.service.ts';
import { endCredentials } from './credential-rows.ts';
import { CredentialEntity } from './credential.entity.ts';

/** The way back: a device that has to be let in anew. */
@Injectable()
export class DeviceReset {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * Ends all credentials of a device at once, so that it may register again; its owner, its data and its history stay. A second
   * time, without effect. Throws `NOT_FOUND`.
   */
  async reset(caller: UserPrincipal, id: string): Promise<void> {
    const change = { actor: actorOf(caller), now: this.now() };
    const device = await inTransaction(this.dataSource, async (manager) => {
      const before = requireAllowed(caller, 'manage', id, await lockedDevice(manager, id));
      const rows = await manager.find(CredentialEntity, { where: { deviceId: id }, order: { id: 'ASC' } });
      await endCredentials(manager, before, rows, change);
      return enterState(manager, before, 'created', 'device.reset', change);
    });
    this.events.publish('registry.credentials.revoked', { deviceId: id, credentialId: null });
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(device) });
  }
}
