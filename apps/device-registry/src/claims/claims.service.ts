import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DeviceRef, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { actorOf, actorsChange, audit } from '../audit/audit.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { ownerColumns, replaceOwner } from '../people/ownership.ts';

/** Devices without an owner get one. Whether somebody may have a device, is for whoever asks to have made sure of. */
@Injectable()
export class Claims {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * Makes somebody the owner: of many at once, one. A customer's device is for people of that customer only. Throws `OWN_DEVICE`,
   * `ALREADY_CLAIMED`, `NOT_FOUND`.
   */
  async claim(user: UserPrincipal, deviceId: string): Promise<DeviceRef> {
    const device = await inTransaction(this.dataSource, async (manager) => {
      const before = claimable(user, deviceId, await lockedDevice(manager, deviceId));
      return this.give(manager, before, user);
    });
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(device) });
    return deviceRef(device);
  }

  private async give(manager: EntityManager, before: DeviceEntity, user: UserPrincipal): Promise<DeviceEntity> {
    const { userId } = user;
    const now = this.now();
    const change = { ...ownerColumns(before, userId), version: before.version + 1, updatedAt: new Date(now) };
    await manager.update(DeviceEntity, { id: before.id }, change);
    await replaceOwner(manager, before, userId, now);
    const changes = { owner: { from: null, to: userId } };
    await audit(manager, now, { ...actorsChange(actorOf(user), 'device.claimed', before), changes });
    return manager.create(DeviceEntity, { ...before, ...change });
  }
}

function claimable(user: UserPrincipal, deviceId: string, device: DeviceEntity | null): DeviceEntity {
  if (!device || (device.customerId !== null && device.customerId !== user.customerId)) {
    throw new CodedError('NOT_FOUND', `There is no device ${deviceId} that you may have.`);
  }
  if (device.ownerId === user.userId) throw new CodedError('OWN_DEVICE', `"${device.name}" is yours already.`);
  if (device.ownerId !== null) {
    throw new CodedError(
      'ALREADY_CLAIMED',
      'The device belongs to somebody: its owner, or whoever manages it, has to release it first.',
    );
  }
  return device;
}
