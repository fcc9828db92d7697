import { z } from 'zod';
import { DeviceRef } from './devices.ts';
import { ChangedUser, EndedSession } from './people.ts';

/** Every event that each replica of each service may hear, at most once: subject -> payload. */
export const EVENTS = {
  'auth.session.ended': EndedSession,
  'auth.user.changed': ChangedUser,
  /** One credential of a device, or with `credentialId: null` all of them, may no longer be used. */
  'registry.credentials.revoked': z.object({ deviceId: z.uuid(), credentialId: z.uuid().nullable() }),
  /** A device that an import makes is not told of: there may be a million, and nobody has known it before. */
  'registry.device.changed': z.object({ change: z.enum(['created', 'updated', 'deleted']), device: DeviceRef }),
} as const satisfies Record<string, z.ZodType>;

export type EventSubject = keyof typeof EVENTS;
export type EventPayload<S extends EventSubject> = z.output<(typeof EVENTS)[S]>;

/** The subject on which the readings of one device are told to viewers. */
export const liveSubject = (deviceId: string): string => `live.${deviceId}`;
