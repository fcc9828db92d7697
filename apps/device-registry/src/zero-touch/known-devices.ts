import { IsNull, Not, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { CredentialEntity } from '../credentials/credential.entity.ts';
import { lockedDevice } from '../devices/device-rows.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import type { AskedDevice } from './asked-device.ts';
import { deviceMismatch, mismatchesOf } from './mismatch.ts';

/**
 * The device that asks, if it is known, held until the end of the transaction: by its MAC address, else by its serial number, else by
 * its name, each among those of its customer. Throws `DEVICE_MISMATCH`, `DEVICE_DISABLED`.
 */
export async function knownDevice(manager: EntityManager, asked: AskedDevice): Promise<DeviceEntity | null> {
  const ofMac = await withMac(manager, asked);
  const ofSerial = await withSerial(manager, asked);
  if (ofMac && ofSerial && ofMac.id !== ofSerial.id) {
    throw deviceMismatch([{ path: '/serial', message: 'belongs to another device than the MAC address' }]);
  }
  const found = ofMac ?? ofSerial ?? (await withName(manager, asked));
  return found && usable(manager, await held(manager, found.id), asked);
}

async function withMac(manager: EntityManager, { customerId, macAddress }: AskedDevice): Promise<DeviceEntity | null> {
  if (macAddress === undefined) return null;
  return manager.findOneBy(DeviceEntity, { customerScope: customerId ?? '', macAddress });
}

async function withSerial(manager: EntityManager, asked: AskedDevice): Promise<DeviceEntity | null> {
  const { customerId, serial, name } = asked;
  const rows = await manager.find(DeviceEntity, {
    where: { serial, customerScope: customerId ?? '' },
    order: { createdAt: 'ASC', id: 'ASC' },
  });
  return rows.find((row) => row.name === name) ?? rows[0] ?? null;
}

/** Devices behind a gateway have their names from there, and people's default gateways theirs from us: neither is meant. */
const withName = (manager: EntityManager, { customerId, name }: AskedDevice): Promise<DeviceEntity | null> =>
  manager.findOne(DeviceEntity, {
    where: {
      customerId: customerId ?? IsNull(),
      sortName: name.toLowerCase(),
      name,
      masterId: IsNull(),
      defaultOf: IsNull(),
    },
    order: { id: 'ASC' },
  });

async function held(manager: EntityManager, id: string): Promise<DeviceEntity> {
  const device = await lockedDevice(manager, id);
  if (!device) throw new CodedError('NOT_FOUND', 'The device was deleted just now: ask again.');
  return device;
}

async function usable(manager: EntityManager, device: DeviceEntity, asked: AskedDevice): Promise<DeviceEntity> {
  const mismatches = mismatchesOf(device, asked);
  if (mismatches.length > 0) throw deviceMismatch(mismatches);
  if (device.ownerId !== null && !(await hasProvisionedItself(manager, device))) {
    throw deviceMismatch([{ path: '/name', message: 'belongs to a device that somebody made for themselves' }]);
  }
  if (!device.enabled) {
    throw new CodedError('DEVICE_DISABLED', 'The device is switched off: have whoever manages it switch it on again.');
  }
  return device;
}

/** A device that somebody owns and that never got its own token is not the one that asks: its owner may only have guessed its name. */
const hasProvisionedItself = async (manager: EntityManager, device: DeviceEntity): Promise<boolean> =>
  device.tokenGeneration > 1 ||
  (await manager.existsBy(CredentialEntity, { deviceId: device.id, generation: Not(IsNull()) }));
