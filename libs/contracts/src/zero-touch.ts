import { z } from 'zod';
import { DeviceRef } from './devices.ts';

/** Degrees, WGS 84. */
export const Latitude = z.number().min(-90).max(90);
export const Longitude = z.number().min(-180).max(180);

/** Where a device stands: the names of its country and state, and a point. */
export const Place = z.object({
  country: z.string().min(1).max(128),
  state: z.string().min(1).max(128),
  latitude: Latitude.optional(),
  longitude: Longitude.optional(),
});
export type Place = z.output<typeof Place>;

/** On whose behalf something is done that is not a request of theirs: what the audit trail names. */
export const Actor = z.object({
  kind: z.enum(['user', 'device', 'provisioning-key', 'system']),
  id: z.string().max(64).nullable(),
});
export type Actor = z.output<typeof Actor>;

/** A device that asks for its place with us; profiles by name. */
export const ZeroTouchDevice = z.object({
  actor: Actor,
  customerId: z.uuid().nullable(),
  name: z.string().min(1).max(128),
  serial: z.string().min(1).max(128),
  macAddress: z.string().max(64).optional(),
  deviceProfile: z.string().min(1).max(128),
  countryProfile: z.string().min(1).max(128),
  stateProfile: z.string().min(1).max(128),
  place: Place.nullable(),
  system: z.record(z.string(), z.unknown()).optional(),
});
export type ZeroTouchDevice = z.output<typeof ZeroTouchDevice>;

export const ZeroTouchAsset = z.object({ id: z.uuid(), name: z.string(), profile: z.string() });

export const ZeroTouchResult = z.object({
  device: DeviceRef,
  created: z.boolean(),
  /** From the country down; none without a place. */
  assets: z.array(ZeroTouchAsset),
  accessToken: z.string(),
});
export type ZeroTouchResult = z.output<typeof ZeroTouchResult>;
