import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type Actor, type DeviceRef, type DeviceShare, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, invalidInput, type Clock } from '#platform';
import { inTransaction } from '#sql';
import { actorOf, actorsChange, audit } from '../audit/audit.ts';
import { REGISTRY } from '../data-source-name.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { allowedDevice } from '../devices/devices.service.ts';
import { DevicePersonEntity } from './device-person.entity.ts';
import { releaseDevice } from './ownership.ts';
import { UserDirectory } from './user-directory.ts';
import { shareView, type ShareDocument, type ShareList, type ShareView } from './share.schemas.ts';

/** Most users that one device is shared with. */
const MAX_SHARES = 100;
/** Devices that a user who goes leaves behind in one transaction. */
const AT_ONCE = 100;

/** Whose a device is, and whom it is shared with. */
@Injectable()
export class People {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(UserDirectory) private readonly directory: UserDirectory,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** The owner and all whom it is shared with, in the order in which they were. Throws `NOT_FOUND`, `FORBIDDEN`. */
  async list(caller: UserPrincipal, deviceId: string): Promise<ShareList> {
    await this.requireManager(caller, deviceId);
    const rows = await this.dataSource.manager.find(DevicePersonEntity, {
      where: { deviceId },
      order: { createdAt: 'ASC', userId: 'ASC' },
    });
    return { items: rows.map(shareView) };
  }

  /**
   * Shares a device with somebody, or changes how. Throws `NOT_FOUND`, `FORBIDDEN`, `USER_NOT_FOUND`, `INVALID_INPUT` for the owner, `CONFLICT` if it is shared with as many as it may be.
   */
  async share(caller: UserPrincipal, deviceId: string, { user, email, access }: ShareDocument): Promise<ShareView> {
    await this.requireManager(caller, deviceId);
    const userId = await this.directory.idOf(user === undefined ? { email: email ?? '' } : { id: user });
    const now = this.now();
    const { device, before, row } = await inTransaction(this.dataSource, async (manager) => {
      const held = await this.managed(manager, caller, deviceId);
      if (held.ownerId === userId)
        throw invalidInput(user === undefined ? '/email' : '/user', 'is the owner of the device');
      const known = await manager.findOneBy(DevicePersonEntity, { deviceId, userId });
      const shared = await share(manager, known, { deviceId, userId, access }, now);
      if (known?.access !== access)
        await this.audited(manager, actorOf(caller), held, userId, known?.access ?? null, access);
      return { device: held, before: known, row: shared };
    });
    if (before?.access !== access) this.tell(device);
    return shareView(row);
  }

  /**
   * Ends a share: for whoever manages the device, and for the one it was shared with. Throws `NOT_FOUND` if there is none, `CONFLICT`
   * for the owner.
   */
  async unshare(caller: UserPrincipal, deviceId: string, userId: string): Promise<void> {
    const device = await inTransaction(this.dataSource, async (manager) => {
      const action = caller.userId === userId ? 'read' : 'manage';
      const held = await allowedDevice(manager, caller, action, deviceId, await lockedDevice(manager, deviceId));
      if (held.ownerId === userId) throw ownerStays(deviceId);
      const row = await manager.findOneBy(DevicePersonEntity, { deviceId, userId });
      if (!row) throw new CodedError('NOT_FOUND', `The device is not shared with the user ${userId}.`);
      await manager.delete(DevicePersonEntity, { deviceId, userId });
      await this.audited(manager, actorOf(caller), held, userId, row.access, null);
      return held;
    });
    this.tell(device);
  }

  /** Gives a device up: it is nobody's any more, and shared with nobody. Throws `NOT_FOUND`, `FORBIDDEN`. */
  async release(caller: UserPrincipal, deviceId: string): Promise<DeviceRef> {
    const change = { actor: actorOf(caller), now: this.now() };
    const device = await inTransaction(this.dataSource, async (manager) =>
      releaseDevice(manager, await this.managed(manager, caller, deviceId), change),
    );
    this.tell(device);
    return deviceRef(device);
  }

  /** Gives up the device of that name that the caller owns. Throws `NOT_FOUND`, `CONFLICT` if they own several of that name. */
  async releaseNamed(caller: UserPrincipal, name: string): Promise<DeviceRef> {
    const [device, other] = await this.dataSource.manager.find(DeviceEntity, {
      where: { ownerId: caller.userId, sortName: name.toLowerCase(), name },
      take: 2,
    });
    if (!device) throw new CodedError('NOT_FOUND', `You own no device with the name "${name}".`);
    if (!other) return this.release(caller, device.id);
    throw new CodedError(
      'CONFLICT',
      `You own several devices with the name "${name}": release the one that you mean by its id (POST /api/devices/:id/release).`,
    );
  }

  /** Lets go of everything of a user who is about to be deleted; may be asked again, and goes on where it ended. */
  async forget(userId: string): Promise<void> {
    for (;;) {
      const rows = await this.dataSource.manager.find(DevicePersonEntity, { where: { userId }, take: AT_ONCE });
      if (rows.length === 0) return;
      const devices = await inTransaction(this.dataSource, (manager) =>
        this.forgotten(
          manager,
          userId,
          rows.map(({ deviceId }) => deviceId),
        ),
      );
      for (const device of devices) this.tell(device);
    }
  }

  private async forgotten(manager: EntityManager, userId: string, deviceIds: string[]): Promise<DeviceEntity[]> {
    const actor: Actor = { kind: 'system', id: null };
    const devices: DeviceEntity[] = [];
    for (const deviceId of deviceIds.sort()) {
      const device = await lockedDevice(manager, deviceId);
      const row = await manager.findOneBy(DevicePersonEntity, { deviceId, userId });
      if (!device || !row) continue;
      if (row.access === 'owner') devices.push(await releaseDevice(manager, device, { actor, now: this.now() }));
      else {
        await manager.delete(DevicePersonEntity, { deviceId, userId });
        await this.audited(manager, actor, device, userId, row.access, null);
        devices.push(device);
      }
    }
    return devices;
  }

  private async requireManager(caller: UserPrincipal, deviceId: string): Promise<void> {
    const { manager } = this.dataSource;
    await allowedDevice(manager, caller, 'manage', deviceId, await manager.findOneBy(DeviceEntity, { id: deviceId }));
  }

  private async managed(manager: EntityManager, caller: UserPrincipal, deviceId: string): Promise<DeviceEntity> {
    return allowedDevice(manager, caller, 'manage', deviceId, await lockedDevice(manager, deviceId));
  }

  private async audited(
    manager: EntityManager,
    actor: Actor,
    device: DeviceEntity,
    userId: string,
    from: DeviceShare | null,
    to: DeviceShare | null,
  ): Promise<void> {
    const shareOf = (access: DeviceShare | null) => access && { user: userId, access };
    await audit(manager, this.now(), {
      ...actorsChange(actor, to === null ? 'device.unshared' : 'device.shared', device),
      changes: { share: { from: shareOf(from), to: shareOf(to) } },
    });
  }

  private tell(device: DeviceEntity): void {
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(device) });
  }
}

async function share(
  manager: EntityManager,
  known: DevicePersonEntity | null,
  wanted: Pick<DevicePersonEntity, 'deviceId' | 'userId' | 'access'>,
  now: number,
): Promise<DevicePersonEntity> {
  const { deviceId, userId, access } = wanted;
  if (known) {
    await manager.update(DevicePersonEntity, { deviceId, userId }, { access });
    return manager.create(DevicePersonEntity, { ...known, access });
  }
  if ((await manager.countBy(DevicePersonEntity, { deviceId })) > MAX_SHARES) {
    throw new CodedError(
      'CONFLICT',
      `The device is shared with ${String(MAX_SHARES)} users: end one of those shares first.`,
    );
  }
  const row = manager.create(DevicePersonEntity, { ...wanted, createdAt: new Date(now) });
  await manager.insert(DevicePersonEntity, row);
  return row;
}

const ownerStays = (deviceId: string): CodedError =>
  new CodedError('CONFLICT', `That is the owner of the device: to give it up, POST /api/devices/${deviceId}/release.`);
