import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from './device-rows.ts';
import { enterState } from './device-states.ts';
import { DeviceEntity } from './device.entity.ts';
import { deviceRef } from './device.schemas.ts';

/** Devices become active once their first readings are durable. */
@Injectable()
export class FirstHeard {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Without effect on a device that is active already, or gone. */
  async heard(id: string): Promise<void> {
    const known = await this.dataSource.manager.findOneBy(DeviceEntity, { id });
    if (!known || known.state === 'active') return;
    const actor = { kind: 'device', id } as const;
    const activated = await inTransaction(this.dataSource, async (manager) => {
      const device = await lockedDevice(manager, id);
      if (!device || device.state === 'active') return null;
      return enterState(manager, device, 'active', 'device.activated', { actor, now: this.now() });
    });
    if (!activated) return;
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(activated) });
  }
}
