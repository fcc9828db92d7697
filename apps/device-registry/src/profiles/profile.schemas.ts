import { z } from 'zod';
import { pageOf } from '#contracts';
import { text } from '#platform';
import { listQuery } from '#sql';
import { Attributes, AttributesPatch } from '../attributes.ts';
import type { ProfileEntity } from './profile.entity.ts';

const Name = text(128).describe('Unique in any case');
const Description = text(1_024).nullable();

/** What profiles of devices have besides. */
interface OfDevices {
  inactivitySeconds?: number | null | undefined;
}

/** What somebody says of a profile. */
export const ProfileDocument = z
  .strictObject({ name: Name, description: Description.default(null), attributes: Attributes.default({}) })
  .meta({ id: 'RegistryNewProfile' });
export type ProfileDocument = z.output<typeof ProfileDocument> & OfDevices;

/** Shortest and longest silence, in seconds: a year. */
const InactivitySeconds = z
  .int()
  .min(1)
  .max(31_536_000)
  .nullable()
  .describe('How long such a device may be silent before it counts as offline; null: as long as the platform says');

/** What somebody says of a device profile. */
export const DeviceProfileDocument = ProfileDocument.extend({
  inactivitySeconds: InactivitySeconds.default(null),
}).meta({
  id: 'RegistryNewDeviceProfile',
});

/** A change of a profile, as JSON merge patch (RFC 7396). */
export const ProfilePatch = z
  .strictObject({
    name: Name.optional(),
    description: Description.optional(),
    attributes: AttributesPatch.optional(),
  })
  .meta({ id: 'RegistryProfilePatch' });
export type ProfilePatch = z.output<typeof ProfilePatch> & OfDevices;

/** A change of a device profile, as JSON merge patch. */
export const DeviceProfilePatch = ProfilePatch.extend({ inactivitySeconds: InactivitySeconds.optional() }).meta({
  id: 'RegistryDeviceProfilePatch',
});

export const ProfileQuery = listQuery('name', 'createdAt');
export type ProfileQuery = z.output<typeof ProfileQuery>;

/** A profile; times are ms since the epoch. */
export const ProfileView = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    attributes: z.record(z.string(), z.unknown()),
    createdAt: z.int(),
    updatedAt: z.int(),
    version: z.int(),
  })
  .meta({ id: 'RegistryProfile' });
export type ProfileView = z.output<typeof ProfileView> & OfDevices;

export const ProfilePage = pageOf(ProfileView).meta({ id: 'RegistryProfilePage' });

export const DeviceProfileView = ProfileView.extend({ inactivitySeconds: z.int().nullable() }).meta({
  id: 'RegistryDeviceProfile',
});

export const DeviceProfilePage = pageOf(DeviceProfileView).meta({ id: 'RegistryDeviceProfilePage' });

export const profileView = (row: ProfileEntity): ProfileView => ({
  id: row.id,
  name: row.name,
  description: row.description,
  attributes: row.attributes,
  ...ofDevices(row),
  createdAt: row.createdAt.getTime(),
  updatedAt: row.updatedAt.getTime(),
  version: row.version,
});

/** What a profile of devices has besides; nothing of one of assets. */
export const ofDevices = ({ inactivitySeconds }: OfDevices): OfDevices =>
  inactivitySeconds === undefined ? {} : { inactivitySeconds };
