import { z } from 'zod';
import { UserPrincipal } from './people.ts';

export const DeviceKind = z.enum(['direct', 'gateway', 'master', 'agent']);
export type DeviceKind = z.output<typeof DeviceKind>;

/**
 * created: it is known; provisioned: it was given what it needs to connect; active: it was heard of, or has confirmed that it has its
 * credentials.
 */
export const DeviceState = z.enum(['created', 'provisioned', 'active']);
export type DeviceState = z.output<typeof DeviceState>;

/** What other services need to know of a device. */
export const DeviceRef = z.object({
  id: z.uuid(),
  name: z.string(),
  kind: DeviceKind,
  customerId: z.uuid().nullable(),
  ownerId: z.uuid().nullable(),
  masterId: z.uuid().nullable(),
  state: DeviceState.default('active'),
  profileId: z.uuid().nullable().default(null),
});
export type DeviceRef = z.output<typeof DeviceRef>;

/** Issuer of devices' JSON web tokens: the registry, which alone can verify them. */
export const DEVICE_TOKEN_ISSUER = 'fieldline-devices';

/** A device that is calling. */
export const DevicePrincipal = z.object({
  kind: z.literal('device'),
  credentialId: z.uuid(),
  device: DeviceRef,
  /** When the credential ends, ms since the epoch; null for one without an end. */
  expiresAt: z.number().int().nullable(),
});
export type DevicePrincipal = z.output<typeof DevicePrincipal>;

/** Anyone who is calling. */
export const Principal = z.discriminatedUnion('kind', [UserPrincipal, DevicePrincipal]);
export type Principal = z.output<typeof Principal>;

/** The device or the person, whichever is calling. */
export const callerIdOf = (principal: Principal): string =>
  principal.kind === 'device' ? principal.device.id : principal.userId;

/** What a person has of a device: it is theirs, or somebody shared it with them, to see it or also to send for it. */
export const DeviceShare = z.enum(['owner', 'write', 'read']);
export type DeviceShare = z.output<typeof DeviceShare>;

/** What someone wants to do with a device: see it and its readings, send readings for it, or change it. */
export const DeviceAction = z.enum(['read', 'write', 'manage']);
export type DeviceAction = z.output<typeof DeviceAction>;
