import { CodedError, type ErrorIssue } from '#contracts';
import type { DeviceEntity } from '../devices/device.entity.ts';
import type { AskedDevice } from './asked-device.ts';

type Identity = Pick<DeviceEntity, 'serial' | 'macAddress'>;

/**
 * How a device that was found differs from the one that asks. What the known device has is not told: whoever learns it could ask in
 * its name.
 */
export function mismatchesOf(found: Identity, asked: Pick<AskedDevice, 'serial' | 'macAddress'>): ErrorIssue[] {
  const issues: ErrorIssue[] = [];
  if (found.serial !== null && found.serial !== asked.serial) {
    issues.push({ path: '/serial', message: 'is another one than that of the known device' });
  }
  if (found.macAddress !== null && asked.macAddress !== undefined && found.macAddress !== asked.macAddress) {
    issues.push({ path: '/macAddress', message: 'is another one than that of the known device' });
  }
  return issues;
}

/** `DEVICE_MISMATCH` with everything that differs. */
export function deviceMismatch(errors: ErrorIssue[]): CodedError {
  const what = errors.map(({ path, message }) => `${path.slice(1)} ${message}`).join('; ');
  return new CodedError(
    'DEVICE_MISMATCH',
    `Another device is known by what this one says: ${what}. Correct it here, or have whoever manages the known device change that one.`,
    { errors },
  );
}
