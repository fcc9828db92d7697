import { z } from 'zod';
import { UserPrincipal } from './people.ts';

export const DeviceKind = z.enum(['direct', 'gateway', 'master', 'agent']);
export type DeviceKind = z.output<typeof DeviceKind>;

/** What other services need to know of a device. */
export const DeviceRef = z.object({
  id: z.uuid(),
  name: z.string(),
  kind: DeviceKind,
  customerId: z.uuid().nullable(),
  ownerId: z.uuid().nullable(),
  masterId: z.uuid().nullable(),
});
export type DeviceRef = z.output<typeof DeviceRef>;

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

/** What someone wants to do with a device: see it and its readings, send readings for it, or change it. */
export const DeviceAction = z.enum(['read', 'write', 'manage']);
export type DeviceAction = z.output<typeof DeviceAction>;
