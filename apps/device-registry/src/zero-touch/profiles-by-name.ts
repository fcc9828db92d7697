import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';
import { CodedError } from '#contracts';
import { AssetProfileEntity } from '../profiles/asset-profile.entity.ts';
import { DeviceProfileEntity } from '../profiles/device-profile.entity.ts';
import type { AskedDevice } from './asked-device.ts';

/** The profiles that a device and its place are made under. */
export interface Profiles {
  device: DeviceProfileEntity;
  country: AssetProfileEntity;
  state: AssetProfileEntity;
}

/**
 * Finds profiles by their names, in any case; those of assets only for a device that has a place. Throws `PROFILE_NOT_FOUND` for the
 * first one that is missing.
 */
export async function profilesOf(manager: EntityManager, asked: AskedDevice): Promise<Profiles> {
  const device = await byName(manager, DeviceProfileEntity, asked.deviceProfile);
  if (!device) throw profileNotFound('/deviceProfile', 'device', asked.deviceProfile);
  const country = await byName(manager, AssetProfileEntity, asked.countryProfile);
  if (!country) throw profileNotFound('/countryProfile', 'asset', asked.countryProfile);
  const state = await byName(manager, AssetProfileEntity, asked.stateProfile);
  if (!state) throw profileNotFound('/stateProfile', 'asset', asked.stateProfile);
  return { device, country, state };
}

const byName = <P extends ObjectLiteral & { sortName: string }>(
  manager: EntityManager,
  profile: EntityTarget<P>,
  name: string,
): Promise<P | null> =>
  manager
    .createQueryBuilder(profile, 'profile')
    .where('profile.sortName = :name', { name: name.toLowerCase() })
    .getOne();

function profileNotFound(path: string, kind: 'device' | 'asset', name: string): CodedError {
  const message = `there is no ${kind} profile "${name}"`;
  return new CodedError(
    'PROFILE_NOT_FOUND',
    `${path.slice(1)}: ${message}. Name one that GET /api/${kind}-profiles lists, or have an administrator make it.`,
    { errors: [{ path, message }] },
  );
}
