import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CodedError, type ZeroTouchResult } from '#contracts';
import { Events } from '#messaging';
import { CLOCK, invalidInput, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, isUniqueViolation, rowLock } from '#sql';
import type { AssetEntity } from '../assets/asset.entity.ts';
import { DerivedTokens } from '../credentials/derived-tokens.ts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { REGISTRY } from '../data-source-name.ts';
import { attributesProblem } from '../attributes.ts';
import { insertDevice, updateDevice, type Change } from '../devices/device-rows.ts';
import type { DeviceAttributes, DeviceEntity } from '../devices/device.entity.ts';
import { deviceRef } from '../devices/device.schemas.ts';
import { identityKey } from '../identity.ts';
import { DeviceProfileEntity } from '../profiles/device-profile.entity.ts';
import type { AskedDevice } from './asked-device.ts';
import { containDevice } from './contains.ts';
import { knownDevice } from './known-devices.ts';
import { assetsOf } from './places.ts';
import { profilesOf, type Profiles } from './profiles-by-name.ts';

/** Of fifty that ask at once, each may meet several others. */
const ATTEMPTS = 20;

/** What became of a device that asked. */
interface Outcome {
  device: DeviceEntity;
  change: 'created' | 'updated' | null;
  assets: ZeroTouchResult['assets'];
}

/** Devices that find their place with us by themselves: country, state and device, made once however many ask at the same time. */
@Injectable()
export class ZeroTouch {
  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(DerivedTokens) private readonly tokens: DerivedTokens,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * The device with the assets around it, and its token, the same one every time until it is revoked. Throws `PROFILE_NOT_FOUND`,
   * `DEVICE_MISMATCH`, `DEVICE_LIMIT_REACHED`, `DEVICE_DISABLED`, `RELATION_CYCLE`, `INVALID_INPUT`.
   */
  async provision(asked: AskedDevice): Promise<ZeroTouchResult> {
    const { device, change, assets } = await this.settled(asked);
    if (change) this.events.publish('registry.device.changed', { change, device: deviceRef(device) });
    const accessToken = await this.tokens.of(device);
    return { device: deviceRef(device), created: change === 'created', assets, accessToken };
  }

  private async settled(asked: AskedDevice, attempts = ATTEMPTS): Promise<Outcome> {
    try {
      return await inTransaction(this.dataSource, (manager) => this.settle(manager, asked), ATTEMPTS);
    } catch (error) {
      if (attempts <= 1 || !isOvertaken(error)) throw error;
      return this.settled(asked, attempts - 1);
    }
  }

  private async settle(manager: EntityManager, asked: AskedDevice): Promise<Outcome> {
    const change = { actor: asked.actor, now: this.now() };
    await requireCustomer(manager, asked.customerId);
    const profiles = await profilesOf(manager, asked);
    const place = asked.place && (await assetsOf(manager, asked.place, profiles, asked.customerId, change));
    const outcome = await foundOrMade(manager, asked, profiles, change);
    if (place) await containDevice(manager, place.state, outcome.device, change);
    return { ...outcome, assets: place ? assetViews(place, profiles) : [] };
  }
}

/** Somebody else was faster, or took away what was just found: asked again, it is found, or missing in a way that has a name. */
const isOvertaken = (error: unknown): boolean =>
  isUniqueViolation(error) ||
  isForeignKeyViolation(error) ||
  (error instanceof CodedError && (error.code === 'MAC_TAKEN' || error.code === 'RELATION_EXISTS'));

async function requireCustomer(manager: EntityManager, id: string | null): Promise<void> {
  if (id === null || (await manager.existsBy(CustomerEntity, { id }))) return;
  throw invalidInput('/customer', 'is a customer that was deleted just now');
}

async function foundOrMade(
  manager: EntityManager,
  asked: AskedDevice,
  profiles: Profiles,
  change: Change,
): Promise<Omit<Outcome, 'assets'>> {
  const known = (await knownDevice(manager, asked)) ?? (await knownByNow(manager, asked, profiles));
  if (known) return completed(manager, known, asked, profiles, change);
  const { name, serial, macAddress = null, customerId, system } = asked;
  const device = await insertDevice(
    manager,
    {
      name,
      kind: 'direct',
      customerId,
      ownerId: null,
      serial,
      macAddress,
      profileId: profiles.device.id,
      state: 'provisioned',
      identityKey: identityKey('zero-touch device', customerId, serial),
      attributes: withSystem({}, system),
    },
    change,
  );
  return { device, change: 'created' };
}

/**
 * Names and serial numbers are not unique by themselves. So whoever makes a device does so while holding its customer's row, or
 * without a customer that of its profile, and looks once more before.
 */
async function knownByNow(
  manager: EntityManager,
  asked: AskedDevice,
  profiles: Profiles,
): Promise<DeviceEntity | null> {
  const lock = rowLock(manager);
  if (asked.customerId === null) {
    await manager.findOne(DeviceProfileEntity, { where: { id: profiles.device.id }, lock });
  } else {
    await manager.findOne(CustomerEntity, { where: { id: asked.customerId }, lock });
  }
  return knownDevice(manager, asked);
}

/** What a known device had not said yet is added to it. */
async function completed(
  manager: EntityManager,
  device: DeviceEntity,
  asked: AskedDevice,
  profiles: Profiles,
  change: Change,
): Promise<Omit<Outcome, 'assets'>> {
  const { name, kind, customerId, enabled, masterId, labels } = device;
  const before = { ...identityOf(device), attributes: device.attributes };
  const after = {
    serial: asked.serial,
    macAddress: device.macAddress ?? asked.macAddress ?? null,
    profileId: device.profileId ?? profiles.device.id,
    state: device.state === 'created' ? ('provisioned' as const) : device.state,
    attributes: withSystem(device.attributes, asked.system),
  };
  if (isDeepStrictEqual(before, after)) return { device, change: null };
  const columns = { name, kind, customerId, enabled, masterId, labels, ...after };
  return { device: await updateDevice(manager, device, columns, change), change: 'updated' };
}

const identityOf = ({ serial, macAddress, profileId, state }: DeviceEntity) => ({
  serial,
  macAddress,
  profileId,
  state,
});

/** Throws `INVALID_INPUT` for more than attributes can hold. */
function withSystem(attributes: DeviceAttributes, system: DeviceAttributes | undefined): DeviceAttributes {
  if (system === undefined) return attributes;
  const together = { ...attributes, system };
  const problem = attributesProblem(together);
  if (problem !== undefined) throw invalidInput('/system', `with the device's other attributes, ${problem}`);
  return together;
}

const assetViews = (
  { country, state }: { country: AssetEntity; state: AssetEntity },
  profiles: Profiles,
): ZeroTouchResult['assets'] => [
  { id: country.id, name: country.name, profile: profiles.country.name },
  { id: state.id, name: state.name, profile: profiles.state.name },
];
