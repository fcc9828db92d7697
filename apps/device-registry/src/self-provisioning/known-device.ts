import { IsNull, type EntityManager } from 'typeorm';
import { CodedError } from '#contracts';
import { rowLock } from '#sql';
import { hasEnded } from '../credentials/credential-rows.ts';
import type { CredentialEntity } from '../credentials/credential.entity.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { identityKey } from '../identity.ts';

/** What a device that provisions itself is known by. */
export interface Named {
  name: string;
  customerId: string | null;
}

/** Found by it again, so that of many requests at once one makes the device, also when somebody has renamed it since. */
export const selfProvisionedIdentity = ({ name, customerId }: Named): string =>
  identityKey('self-provisioned device', customerId, name);

/**
 * The device of that name, held; null if there is none. One that provisioned itself by this name and has gone to another customer since is
 * none of them any more. Throws `DEVICE_EXISTS` if there are several.
 */
export async function knownDevice(manager: EntityManager, named: Named): Promise<DeviceEntity | null> {
  const lock = rowLock(manager);
  const identity = selfProvisionedIdentity(named);
  const made = await manager.findOne(DeviceEntity, { where: { identityKey: identity }, lock });
  if (made?.customerId === named.customerId) return made;
  if (made) await manager.update(DeviceEntity, { id: made.id }, { identityKey: null });
  const [device = null, other] = await devicesNamed(manager, named);
  if (other) {
    throw new CodedError(
      'DEVICE_EXISTS',
      `There are several devices with the name "${named.name}": choose a name that no other device has.`,
    );
  }
  return device;
}

/** Those behind a gateway have names of their own. */
const devicesNamed = (manager: EntityManager, { name, customerId }: Named): Promise<DeviceEntity[]> =>
  manager.find(DeviceEntity, {
    where: { customerId: customerId ?? IsNull(), sortName: name.toLowerCase(), name, masterId: IsNull() },
    lock: rowLock(manager),
    take: 2,
  });

/**
 * May a provisioning key give credentials to a device that is there? To one that was made beforehand, or reset, and has none; and to one
 * that it let in itself, and that was never heard: its reply may have been lost. Throws `DEVICE_EXISTS`, `DEVICE_DISABLED`.
 */
export function requireAdmissible(
  device: DeviceEntity,
  credentials: readonly CredentialEntity[],
  keyId: string,
  now: number,
): void {
  if (!device.enabled) {
    throw new CodedError('DEVICE_DISABLED', 'The device is switched off: whoever manages it can switch it on again.');
  }
  const isUntouched = device.state === 'created' && credentials.every((row) => hasEnded(row, now));
  const isWaiting = device.state !== 'active' && device.provisioningKey === keyId;
  if (isUntouched || isWaiting) return;
  throw new CodedError(
    'DEVICE_EXISTS',
    `There is a device with the name "${device.name}" that ${device.state === 'active' ? 'is in use' : 'was given credentials in another way'}: choose another name, or have whoever manages it open it again with POST /api/devices/:id/reset.`,
  );
}
