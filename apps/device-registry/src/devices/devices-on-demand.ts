import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type Actor, type DeviceRef } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isUniqueViolation, sharedLock } from '#sql';
import { DerivedTokens } from '../credentials/derived-tokens.ts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { REGISTRY } from '../data-source-name.ts';
import { deviceProfileOf } from '../profiles/profile-on-demand.ts';
import { insertDevice, lockedDevice, type NewDevice } from './device-rows.ts';
import { DeviceEntity } from './device.entity.ts';
import { deviceRef } from './device.schemas.ts';
import { checkChain } from './masters.ts';

const ATTEMPTS = 20;

/** Devices that come to be because somebody asks for them: they are made once, however many ask at the same time. */
@Injectable()
export class DevicesOnDemand {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DerivedTokens) private readonly tokens: DerivedTokens,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** The gateway that a person's own readings go to, made on first use. Throws `DEVICE_LIMIT_REACHED`. */
  async defaultGateway(userId: string, customerId: string | null): Promise<DeviceRef> {
    const find = () => this.dataSource.manager.findOneBy(DeviceEntity, { defaultOf: userId });
    const { device } = await this.findOrMake({ kind: 'user', id: userId }, find, async (manager) => ({
      name: 'Default gateway',
      kind: 'gateway',
      customerId: await existingCustomer(manager, customerId),
      ownerId: userId,
      defaultOf: userId,
    }));
    return deviceRef(device);
  }

  /**
   * The device of this name behind a gateway; one that is new belongs to whom the gateway belongs to, and has the profile of that name,
   * which is made if need be. Throws `NOT_A_GATEWAY`, `DEVICE_LIMIT_REACHED`, `INVALID_INPUT` behind too many others.
   */
  async child(gatewayId: string, name: string, profile: string | undefined): Promise<DeviceRef> {
    const actor = { kind: 'device', id: gatewayId } as const;
    requireGateway(gatewayId, await this.dataSource.manager.findOneBy(DeviceEntity, { id: gatewayId }));
    const find = () => this.dataSource.manager.findOneBy(DeviceEntity, { masterId: gatewayId, name });
    const { device } = await this.findOrMake(actor, find, async (manager) => {
      const { customerId, ownerId } = await gatewayOf(manager, gatewayId);
      const profileId =
        profile === undefined ? null : await deviceProfileOf(manager, profile, { actor, now: this.now() });
      return { name, kind: 'direct', customerId, ownerId, masterId: gatewayId, profileId, state: 'provisioned' };
    });
    return deviceRef(device);
  }

  /**
   * The device of a MAC address (canonical) and its token, the same one every time. It is the device that once provisioned itself
   * with that address, else one without a customer that has it, else a new one.
   */
  async provisionByMac(macAddress: string): Promise<{ device: DeviceRef; created: boolean; accessToken: string }> {
    const { device, created } = await this.findOrMake(
      { kind: 'device', id: null },
      () => this.ofMac(macAddress),
      () =>
        Promise.resolve({
          name: macAddress,
          kind: 'direct',
          macAddress,
          customerId: null,
          ownerId: null,
          provisionedMac: macAddress,
          state: 'provisioned',
        }),
    );
    return { device: deviceRef(device), created, accessToken: await this.tokens.of(device) };
  }

  private async ofMac(macAddress: string): Promise<DeviceEntity | null> {
    const { manager } = this.dataSource;
    const provisioned = await manager.findOneBy(DeviceEntity, { provisionedMac: macAddress });
    if (provisioned) return provisioned;
    const known = await manager.findOneBy(DeviceEntity, { customerScope: '', macAddress });
    return known && this.markedProvisioned(known.id, macAddress);
  }

  /** Null if it is not that device any more, or another one was marked meanwhile: then it is to be looked for again. */
  private async markedProvisioned(id: string, macAddress: string): Promise<DeviceEntity | null> {
    return inTransaction(this.dataSource, async (manager) => {
      const device = await lockedDevice(manager, id);
      if (device?.macAddress !== macAddress) return null;
      await manager.update(DeviceEntity, { id }, { provisionedMac: macAddress });
      return device;
    });
  }

  private async findOrMake(
    actor: Actor,
    find: () => Promise<DeviceEntity | null>,
    draft: (manager: EntityManager) => Promise<NewDevice>,
    attempts = ATTEMPTS,
  ): Promise<{ device: DeviceEntity; created: boolean }> {
    try {
      const found = await find();
      if (found) return { device: found, created: false };
      const device = await inTransaction(
        this.dataSource,
        async (manager) => insertDevice(manager, await draft(manager), { actor, now: this.now() }),
        ATTEMPTS,
      );
      this.events.publish('registry.device.changed', { change: 'created', device: deviceRef(device) });
      return { device, created: true };
    } catch (error) {
      if (attempts <= 1 || !isTaken(error)) throw error;
      return this.findOrMake(actor, find, draft, attempts - 1);
    }
  }
}

const existingCustomer = async (manager: EntityManager, id: string | null): Promise<string | null> =>
  id !== null && (await manager.existsBy(CustomerEntity, { id })) ? id : null;

/** A gateway that stays one, and with whom it is, until the end of the transaction. */
async function gatewayOf(manager: EntityManager, id: string): Promise<DeviceEntity> {
  const held = await manager.findOne(DeviceEntity, { where: { id }, lock: sharedLock(manager) });
  const gateway = requireGateway(id, held);
  await checkChain(manager, gateway, null);
  return gateway;
}

function requireGateway(id: string, device: DeviceEntity | null): DeviceEntity {
  if (device?.kind === 'gateway') return device;
  throw new CodedError(
    'NOT_A_GATEWAY',
    `The device ${id} is no gateway: whoever manages it can make it one (PATCH /api/devices/:id {"kind": "gateway"}).`,
  );
}

/** Was somebody else faster? */
const isTaken = (error: unknown): boolean =>
  isUniqueViolation(error) ||
  (error instanceof CodedError && (error.code === 'MAC_TAKEN' || error.code === 'CONFLICT'));
