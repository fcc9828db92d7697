import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isUniqueViolation, rowLock } from '#sql';
import { audit } from '../audit/audit.ts';
import { credentialRecord, hasEnded, insertCredential } from '../credentials/credential-rows.ts';
import { CredentialEntity } from '../credentials/credential.entity.ts';
import { newPassword } from '../credentials/new-secrets.ts';
import { isSameHash, passwordHash } from '../credentials/password.ts';
import { userNameOf } from '../credentials/user-name.ts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { REGISTRY } from '../data-source-name.ts';
import { insertDevice } from '../devices/device-rows.ts';
import { enterState } from '../devices/device-states.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';

/** Fifty that ask for one device at once may meet often. */
const ATTEMPTS = 50;

/** A device as its makers know it: the number of its customer, and its MAC address (canonical). */
export interface KnownBy {
  customerNumber: string;
  macAddress: string;
}

/** What a transaction did to a device: `change` is what to tell others, if anything. */
interface Outcome<T> {
  device: DeviceEntity;
  change: 'created' | 'updated' | null;
  result: T;
}

/**
 * The two steps by which a device with no secret of its own gets one: it registers and is given a password, then confirms that it has
 * it. Only then does the password work; and from then on nobody else who knows the numbers can register the device.
 */
@Injectable()
export class TwoStep {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * A new password for the device, which is made if need be; the one before it is void. Throws `CUSTOMER_UNKNOWN`,
   * `DEVICE_LIMIT_REACHED`, `ALREADY_ACTIVATED`, `DEVICE_DISABLED`.
   */
  async register(known: KnownBy): Promise<{ deviceId: string; password: string }> {
    const { device, result } = await this.told(() => this.inTransaction((manager) => this.give(manager, known)));
    return { deviceId: device.id, password: result };
  }

  /** Makes the password work; a second time, without effect. Throws `CUSTOMER_UNKNOWN`, `NOT_REGISTERED`, `BAD_CREDENTIALS`, `DEVICE_DISABLED`. */
  async activate(known: KnownBy & { password: string }): Promise<{ deviceId: string }> {
    const { device } = await this.told(() => this.inTransaction((manager) => this.confirm(manager, known)));
    return { deviceId: device.id };
  }

  private async give(manager: EntityManager, { customerNumber, macAddress }: KnownBy): Promise<Outcome<string>> {
    const now = this.now();
    const customer = await customerOf(manager, customerNumber);
    const found =
      (await lockedDeviceOf(manager, customer, macAddress)) ??
      (await this.madeMeanwhile(manager, customer, macAddress));
    if (found) await requireRegistrable(manager, found, now);
    const name = userNameOf(customer.number, macAddress);
    const device = found ?? (await this.make(manager, customer, macAddress, now));
    const actor = { kind: 'device', id: device.id } as const;
    if (found) await manager.delete(CredentialEntity, { deviceId: device.id, pending: true });
    const { kept, password } = newPassword(name, now);
    const row = await insertCredential(manager, device.id, { ...kept, pending: true }, now);
    await audit(manager, now, credentialRecord(actor, 'credential.created', device, row));
    const provisioned = await enterState(manager, device, 'provisioned', 'device.registered', { actor, now });
    const change = found === null ? 'created' : provisioned === found ? null : 'updated';
    return { device: provisioned, change, result: password };
  }

  /** One that somebody else made at this moment: with the customer held nobody else makes one, and none takes its place twice. */
  private async madeMeanwhile(
    manager: EntityManager,
    { id, number }: CustomerEntity,
    macAddress: string,
  ): Promise<DeviceEntity | null> {
    const customer = await manager.findOne(CustomerEntity, { where: { id }, lock: rowLock(manager) });
    if (!customer) throw unknownCustomer(number);
    return lockedDeviceOf(manager, customer, macAddress);
  }

  private make(
    manager: EntityManager,
    customer: CustomerEntity,
    macAddress: string,
    now: number,
  ): Promise<DeviceEntity> {
    const device = {
      name: userNameOf(customer.number, macAddress),
      kind: 'direct',
      macAddress,
      customerId: customer.id,
      ownerId: null,
      state: 'provisioned',
    } as const;
    return insertDevice(manager, device, { actor: { kind: 'device', id: null }, now });
  }

  private async confirm(
    manager: EntityManager,
    { customerNumber, macAddress, password }: KnownBy & { password: string },
  ): Promise<Outcome<null>> {
    const now = this.now();
    const customer = await customerOf(manager, customerNumber);
    const device = await lockedDeviceOf(manager, customer, macAddress);
    if (!device) throw notRegistered();
    requireEnabled(device);
    const held = await passwordHeld(manager, device, userNameOf(customer.number, macAddress), password, now);
    if (!held.pending) return { device, change: null, result: null };
    await manager.update(CredentialEntity, { id: held.id }, { pending: false });
    const actor = { kind: 'device', id: device.id } as const;
    const active = await enterState(manager, device, 'active', 'device.activated', { actor, now });
    return { device: active, change: 'updated', result: null };
  }

  private async told<T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const outcome = await work();
    const { change, device } = outcome;
    if (change) this.events.publish('registry.device.changed', { change, device: deviceRef(device) });
    return outcome;
  }

  /** Again if another request made the device meanwhile: then it is there. */
  private async inTransaction<T>(work: (manager: EntityManager) => Promise<T>, attempts = ATTEMPTS): Promise<T> {
    try {
      return await inTransaction(this.dataSource, work);
    } catch (error) {
      if (attempts <= 1 || !isTaken(error)) throw error;
      return this.inTransaction(work, attempts - 1);
    }
  }
}

/** Was somebody else faster? */
const isTaken = (error: unknown): boolean =>
  isUniqueViolation(error) || (error instanceof CodedError && error.code === 'MAC_TAKEN');

async function customerOf(manager: EntityManager, number: string): Promise<CustomerEntity> {
  const customer = await manager.findOneBy(CustomerEntity, { number });
  if (customer) return customer;
  throw unknownCustomer(number);
}

const unknownCustomer = (number: string): CodedError =>
  new CodedError('CUSTOMER_UNKNOWN', `There is no customer "${number}": check the customer number.`);

const lockedDeviceOf = (
  manager: EntityManager,
  { id }: CustomerEntity,
  macAddress: string,
): Promise<DeviceEntity | null> =>
  manager.findOne(DeviceEntity, { where: { customerScope: id, macAddress }, lock: rowLock(manager) });

function requireEnabled({ enabled }: DeviceEntity): void {
  if (enabled) return;
  throw new CodedError('DEVICE_DISABLED', 'The device is switched off: whoever manages it can switch it on again.');
}

/**
 * Whoever knows a customer's number and a MAC address may register the device that these belong to, but not one that is in use
 * already, or that was given other credentials.
 */
async function requireRegistrable(manager: EntityManager, device: DeviceEntity, now: number): Promise<void> {
  requireEnabled(device);
  const credentials = await manager.findBy(CredentialEntity, { deviceId: device.id, pending: false });
  if (device.state !== 'active' && credentials.every((row) => hasEnded(row, now))) return;
  throw new CodedError(
    'ALREADY_ACTIVATED',
    'The device is activated already: whoever manages it can open its registration again with POST /api/devices/:id/reset.',
  );
}

/** The password of the device that this one is. Throws `NOT_REGISTERED`, `BAD_CREDENTIALS`. */
async function passwordHeld(
  manager: EntityManager,
  device: DeviceEntity,
  userName: string,
  password: string,
  now: number,
): Promise<CredentialEntity> {
  const rows = await manager.findBy(CredentialEntity, { deviceId: device.id, kind: 'password' });
  const living = rows.filter((row) => !hasEnded(row, now));
  if (living.length === 0 && device.state !== 'active') throw notRegistered();
  const hash = passwordHash(userName, password);
  const [held] = living.filter((row) => isSameHash(row.secretHash, hash));
  if (held) return held;
  throw new CodedError(
    'BAD_CREDENTIALS',
    'The password is not the one that was given out last: use that one, or register again before activation.',
  );
}

const notRegistered = (): CodedError =>
  new CodedError('NOT_REGISTERED', 'The device is not registered: POST /provisioning/register comes first.');
