import type { EntityManager, EntityTarget } from 'typeorm';
import type { z } from 'zod';
import { invalidInput } from '#platform';
import { AssetProfileEntity } from './asset-profile.entity.ts';
import { DeviceProfileEntity } from './device-profile.entity.ts';
import type { ProfileEntity } from './profile.entity.ts';
import { DeviceProfileDocument, ProfileDocument } from './profile.schemas.ts';

/** What differs between profiles of devices and of assets. */
export interface ProfileKind {
  entity: EntityTarget<ProfileEntity>;
  document: z.ZodType<ProfileDocument>;
  subject: 'device-profile' | 'asset-profile';
  /** As people are told of it. */
  called: string;
  /** Where there is a list of them. */
  path: string;
  /** What has such a profile, and where that is listed. */
  users: { called: string; path: string };
}

export const DEVICE_PROFILE: ProfileKind = {
  entity: DeviceProfileEntity,
  document: DeviceProfileDocument,
  subject: 'device-profile',
  called: 'device profile',
  path: '/api/device-profiles',
  users: { called: 'devices', path: '/api/devices' },
};

export const ASSET_PROFILE: ProfileKind = {
  entity: AssetProfileEntity,
  document: ProfileDocument,
  subject: 'asset-profile',
  called: 'asset profile',
  path: '/api/asset-profiles',
  users: { called: 'assets', path: '/api/assets' },
};

/** A profile as somebody names it, by its id, else by its name in any case; null if there is none. */
export async function profileNamed(
  manager: EntityManager,
  { entity }: ProfileKind,
  reference: string,
): Promise<ProfileEntity | null> {
  return (
    (await manager.findOneBy(entity, { id: reference })) ??
    (await manager.findOneBy(entity, { sortName: reference.toLowerCase() }))
  );
}

/** The id of the profile that somebody names. Throws `INVALID_INPUT` if there is none. */
export async function profileIdOf<R extends string | null>(
  manager: EntityManager,
  kind: ProfileKind,
  reference: R,
): Promise<string | R> {
  if (reference === null) return reference;
  const profile = await profileNamed(manager, kind, reference);
  if (!profile)
    throw invalidInput('/profile', `is neither the id nor the name of ${aOrAn(kind.called)} (GET ${kind.path})`);
  return profile.id;
}

const aOrAn = (noun: string): string => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
