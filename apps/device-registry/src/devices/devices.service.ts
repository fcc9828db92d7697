import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DeviceAction, type DeviceShare, type Page, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { actorOf } from '../audit/audit.ts';
import { CLOCK, mergePatch, requireMatch, type Clock } from '#platform';
import { inTransaction, orderOf } from '#sql';
import { placeOf } from '../customers/customer-reference.ts';
import { REGISTRY } from '../data-source-name.ts';
import { shareOf } from '../people/shares.ts';
import { UserDirectory } from '../people/user-directory.ts';
import { DEVICE_PROFILE, profileIdOf } from '../profiles/profile-kinds.ts';
import { allows, startOf, visibleDevices } from './device-policy.ts';
import { deviceQuery, narrowsToFew, type CustomerBy } from './device-query.ts';
import { criteriaOf, searchPage, sortedPage } from './device-search.ts';
import {
  deleteDevice,
  deviceInUse,
  insertDevice,
  lockedDevice,
  updateDevice,
  type Change,
  type DeviceColumns,
} from './device-rows.ts';
import { DeviceEntity } from './device.entity.ts';
import {
  DeviceDocument,
  deviceRef,
  deviceView,
  type DevicePatch,
  type DeviceQuery,
  type DeviceView,
} from './device.schemas.ts';
import { canBeMaster, checkMaster } from './masters.ts';

const SORTED_BY = { createdAt: 'createdAt', name: 'sortName' } as const;
/** A deadlock is rare and short, yet fifty requests at once may meet several. */
const ATTEMPTS = 20;

/** Devices, as people keep them. */
@Injectable()
export class Devices {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(UserDirectory) private readonly directory: UserDirectory,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async list(caller: UserPrincipal, { sort, limit, cursor, ...filters }: DeviceQuery): Promise<Page<DeviceView>> {
    const visible = visibleDevices(caller);
    const narrowed = (by: CustomerBy) => deviceQuery(this.dataSource, visible, filters, by);
    const criteria = criteriaOf(filters);
    const order = orderOf<DeviceEntity>(sort, SORTED_BY);
    const page = { limit, cursor };
    const { items, nextCursor } = narrowsToFew(visible, filters)
      ? await sortedPage(narrowed('asking'), criteria, order, page)
      : await searchPage(this.dataSource, narrowed, criteria, order, page);
    return { items: items.map(deviceView), nextCursor };
  }

  /** Throws `NOT_FOUND` for a device that is not there or not the caller's. */
  async get(caller: UserPrincipal, id: string): Promise<DeviceView> {
    const { manager } = this.dataSource;
    return deviceView(await allowedDevice(manager, caller, 'read', id, await manager.findOneBy(DeviceEntity, { id })));
  }

  /** Throws `INVALID_INPUT` for a customer or master that is not the caller's, `DEVICE_LIMIT_REACHED`, `MAC_TAKEN`, `CONFLICT`. */
  async create(caller: UserPrincipal, document: DeviceDocument): Promise<DeviceView> {
    const start = startOf(caller);
    const row = await this.transaction(async (manager) => {
      const named = namedBy(document, start.customerId);
      const columns = {
        ...named,
        customerId: await placeOf(manager, caller, named.customerId),
        profileId: await profileIdOf(manager, DEVICE_PROFILE, named.profileId),
      };
      await checkMaster(manager, caller, columns.masterId, null);
      return insertDevice(manager, { ...columns, ownerId: start.ownerId }, this.by(caller));
    });
    this.events.publish('registry.device.changed', { change: 'created', device: deviceRef(row) });
    return deviceView(row);
  }

  /** Throws as {@link create}, and `NOT_FOUND`, `VERSION_MISMATCH`, `USER_NOT_FOUND`, `DEVICE_IN_USE` for a gateway with devices behind it. */
  async change(
    caller: UserPrincipal,
    id: string,
    patch: DevicePatch,
    ifMatch: string | undefined,
  ): Promise<DeviceView> {
    if (patch.owner) await this.requireOwner(caller, id, patch.owner);
    const row = await this.transaction(async (manager) => {
      const before = await allowedDevice(manager, caller, 'manage', id, await lockedDevice(manager, id));
      requireMatch(ifMatch, before.version);
      const columns = await this.changed(manager, caller, before, patch);
      return updateDevice(manager, before, columns, this.by(caller));
    });
    if (!row.enabled) this.events.publish('registry.credentials.revoked', { deviceId: id, credentialId: null });
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(row) });
    return deviceView(row);
  }

  /** Ends its credentials too. Throws `NOT_FOUND`, `DEVICE_IN_USE`, `VERSION_MISMATCH`. */
  async remove(caller: UserPrincipal, id: string, ifMatch: string | undefined): Promise<void> {
    const row = await this.transaction(async (manager) => {
      const device = await allowedDevice(manager, caller, 'manage', id, await lockedDevice(manager, id));
      requireMatch(ifMatch, device.version);
      await deleteDevice(manager, device, this.by(caller));
      return device;
    });
    this.events.publish('registry.credentials.revoked', { deviceId: id, credentialId: null });
    this.events.publish('registry.device.changed', { change: 'deleted', device: deviceRef(row) });
  }

  /** Asked before the transaction: within one, nobody else is waited for. */
  private async requireOwner(caller: UserPrincipal, id: string, owner: string): Promise<void> {
    const { manager } = this.dataSource;
    const before = await allowedDevice(manager, caller, 'manage', id, await manager.findOneBy(DeviceEntity, { id }));
    if (before.ownerId === owner) return;
    requireOwnersGiver(caller);
    await this.directory.idOf({ id: owner });
  }

  /** What a device is after a patch; throws a ZodError for a result that is no device. */
  private async changed(
    manager: EntityManager,
    caller: UserPrincipal,
    before: DeviceEntity,
    { owner = before.ownerId, ...patch }: DevicePatch,
  ): Promise<DeviceColumns> {
    const named = namedBy(DeviceDocument.parse(mergePatch(documentOf(before), patch)), null);
    const { customerId, profileId } = before;
    if (owner !== before.ownerId) requireOwnersGiver(caller);
    const after = {
      ...named,
      ownerId: owner,
      customerId: named.customerId === customerId ? customerId : await placeOf(manager, caller, named.customerId),
      profileId:
        named.profileId === profileId ? profileId : await profileIdOf(manager, DEVICE_PROFILE, named.profileId),
    };
    if (after.masterId !== before.masterId) await checkMaster(manager, caller, after.masterId, before.id);
    const losesChildren = canBeMaster(before.kind) && !canBeMaster(after.kind);
    if (losesChildren && (await manager.existsBy(DeviceEntity, { masterId: before.id }))) throw deviceInUse(before.id);
    return after;
  }

  private by(caller: UserPrincipal): Change {
    return { actor: actorOf(caller), now: this.now() };
  }

  private transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, work, ATTEMPTS);
  }
}

/**
 * The device, if the caller may do that with it. Throws `NOT_FOUND`, in the same words whether or not there is such a device, and
 * `FORBIDDEN` for one that was shared with them for less.
 */
export function requireAllowed(
  caller: UserPrincipal,
  action: DeviceAction,
  id: string,
  row: DeviceEntity | null,
  share: DeviceShare | null = null,
): DeviceEntity {
  if (row && allows(caller, action, row, share)) return row;
  if (row && share !== null) {
    throw new CodedError(
      'FORBIDDEN',
      `The device is shared with you, access ${share}: to ${action} it is for its owner, or an operator of its customer.`,
    );
  }
  throw new CodedError('NOT_FOUND', `There is no device ${id} among those you may see.`);
}

/** As {@link requireAllowed}, with what was shared with the caller. */
export const allowedDevice = async (
  manager: EntityManager,
  caller: UserPrincipal,
  action: DeviceAction,
  id: string,
  row: DeviceEntity | null,
): Promise<DeviceEntity> => requireAllowed(caller, action, id, row, row && (await shareOf(manager, caller, row)));

/** The owner of a device changes by a claim, a release, or those who keep the devices of its customer. Throws `FORBIDDEN`. */
function requireOwnersGiver({ role }: UserPrincipal): void {
  if (role !== 'user') return;
  throw new CodedError(
    'FORBIDDEN',
    'Only an operator or administrator sets the owner: give the device up (POST /api/devices/:id/release) for its next owner to claim it.',
  );
}

/** The columns that a document says, with customer and profile as they are named there. */
const namedBy = (
  { customer, profile, master, ...rest }: DeviceDocument,
  customerByDefault: string | null,
): DeviceColumns => ({
  ...rest,
  customerId: customer === undefined ? customerByDefault : customer,
  profileId: profile,
  masterId: master,
});

function documentOf(row: DeviceEntity): DeviceDocument {
  const { name, kind, macAddress, serial, labels, attributes, customerId, profileId, enabled, masterId } = row;
  const documented = { name, kind, macAddress, serial, labels, attributes, enabled };
  return { ...documented, customer: customerId, profile: profileId, master: masterId };
}
