import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type DeviceAction, type DeviceShare, type Page, type UserPrincipal } from '#contracts';
import { Events } from '#messaging';
import { actorOf } from '../audit/audit.ts';
import { invalidInput, requireMatch } from '#platform';
import { inTransaction, keysetPage, orderOf } from '#sql';
import { CLOCK, type Clock } from '../clock.ts';
import { noSuchCustomer } from '../customers/device-places.ts';
import { REGISTRY } from '../data-source-name.ts';
import { DeviceProfileEntity } from '../profiles/device-profile.entity.ts';
import { allows, mayPlaceWith, startOf, visibleDevices } from './device-policy.ts';
import { deviceQuery } from './device-query.ts';
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
import { shareOf } from '../people/shares.ts';
import { canBeMaster, checkMaster } from './masters.ts';
import { mergePatch } from './merge-patch.ts';

const SORTED_BY = { createdAt: 'createdAt', name: 'sortName' } as const;
/** A deadlock is rare and short, yet fifty requests at once may meet several. */
const ATTEMPTS = 20;

/** Devices, as people keep them. */
@Injectable()
export class Devices {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  async list(caller: UserPrincipal, { sort, limit, cursor, ...filters }: DeviceQuery): Promise<Page<DeviceView>> {
    const query = deviceQuery(this.dataSource, visibleDevices(caller), filters);
    const { items, nextCursor } = await keysetPage(query, orderOf<DeviceEntity>(sort, SORTED_BY), { limit, cursor });
    return { items: items.map(deviceView), nextCursor };
  }

  /** Throws `NOT_FOUND` for a device that is not there or not the caller's. */
  async get(caller: UserPrincipal, id: string): Promise<DeviceView> {
    const { manager } = this.dataSource;
    const row = await manager.findOneBy(DeviceEntity, { id });
    return deviceView(requireAllowed(caller, 'read', id, row, row && (await shareOf(manager, caller, row))));
  }

  /** Throws `INVALID_INPUT` for a customer or master that is not the caller's, `DEVICE_LIMIT_REACHED`, `MAC_TAKEN`, `CONFLICT`. */
  async create(caller: UserPrincipal, document: DeviceDocument): Promise<DeviceView> {
    const start = startOf(caller);
    const columns = columnsOf(document, start.customerId);
    if (!mayPlaceWith(caller, columns.customerId)) throw noSuchCustomer();
    const row = await this.transaction(async (manager) => {
      await checkMaster(manager, caller, columns.masterId, null);
      await checkProfile(manager, columns.profileId);
      return insertDevice(manager, { ...columns, ownerId: start.ownerId }, this.by(caller));
    });
    this.events.publish('registry.device.changed', { change: 'created', device: deviceRef(row) });
    return deviceView(row);
  }

  /** Throws as {@link create}, and `NOT_FOUND`, `VERSION_MISMATCH`, `DEVICE_IN_USE` for a gateway with devices behind it. */
  async change(
    caller: UserPrincipal,
    id: string,
    patch: DevicePatch,
    ifMatch: string | undefined,
  ): Promise<DeviceView> {
    const row = await this.transaction(async (manager) => {
      const before = requireAllowed(caller, 'manage', id, await lockedDevice(manager, id));
      requireMatch(ifMatch, before.version);
      const columns = patched(before, patch);
      await this.checkChange(manager, caller, before, columns);
      return updateDevice(manager, before, columns, this.by(caller));
    });
    if (!row.enabled) this.events.publish('registry.credentials.revoked', { deviceId: id, credentialId: null });
    this.events.publish('registry.device.changed', { change: 'updated', device: deviceRef(row) });
    return deviceView(row);
  }

  /** Ends its credentials too. Throws `NOT_FOUND`, `DEVICE_IN_USE`, `VERSION_MISMATCH`. */
  async remove(caller: UserPrincipal, id: string, ifMatch: string | undefined): Promise<void> {
    const row = await this.transaction(async (manager) => {
      const device = requireAllowed(caller, 'manage', id, await lockedDevice(manager, id));
      requireMatch(ifMatch, device.version);
      await deleteDevice(manager, device, this.by(caller));
      return device;
    });
    this.events.publish('registry.credentials.revoked', { deviceId: id, credentialId: null });
    this.events.publish('registry.device.changed', { change: 'deleted', device: deviceRef(row) });
  }

  private async checkChange(
    manager: EntityManager,
    caller: UserPrincipal,
    before: DeviceEntity,
    after: DeviceColumns,
  ): Promise<void> {
    if (after.customerId !== before.customerId && !mayPlaceWith(caller, after.customerId)) throw noSuchCustomer();
    if (after.profileId !== before.profileId) await checkProfile(manager, after.profileId);
    if (after.masterId !== before.masterId) await checkMaster(manager, caller, after.masterId, before.id);
    const losesChildren = canBeMaster(before.kind) && !canBeMaster(after.kind);
    if (losesChildren && (await manager.existsBy(DeviceEntity, { masterId: before.id }))) throw deviceInUse(before.id);
  }

  private by(caller: UserPrincipal): Change {
    return { actor: actorOf(caller), now: this.now() };
  }

  private transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return inTransaction(this.dataSource, work, ATTEMPTS);
  }
}

/** Throws `INVALID_INPUT` for an id that is no device profile's. */
async function checkProfile(manager: EntityManager, profileId: string | null): Promise<void> {
  if (profileId === null || (await manager.existsBy(DeviceProfileEntity, { id: profileId }))) return;
  throw invalidInput('/profile', 'is not the id of a device profile (GET /api/device-profiles lists them)');
}

/** The device, if the caller may do that with it; `NOT_FOUND` in the same words whether or not there is such a device. */
export function requireAllowed(
  caller: UserPrincipal,
  action: DeviceAction,
  id: string,
  row: DeviceEntity | null,
  share: DeviceShare | null = null,
): DeviceEntity {
  if (row && allows(caller, action, row, share)) return row;
  throw new CodedError('NOT_FOUND', `There is no device ${id} among those you may see.`);
}

const columnsOf = (
  { customer, profile, master, ...rest }: DeviceDocument,
  customerByDefault: string | null,
): DeviceColumns => ({
  ...rest,
  customerId: customer === undefined ? customerByDefault : customer,
  profileId: profile,
  masterId: master,
});

/** The columns after a merge patch; throws a ZodError for a result that is no device. */
function patched(before: DeviceEntity, patch: DevicePatch): DeviceColumns {
  const { name, kind, macAddress, serial, labels, attributes, customerId, profileId, enabled, masterId } = before;
  const documented = { name, kind, macAddress, serial, labels, attributes, enabled };
  const document = { ...documented, customer: customerId, profile: profileId, master: masterId };
  return columnsOf(DeviceDocument.parse(mergePatch(document, patch)), null);
}
