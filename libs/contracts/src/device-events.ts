import { z } from 'zod';
import { CommandView } from './commands.ts';

/** What a device's connection looks like; times are ms since the epoch. */
export const ConnectionView = z
  .object({
    online: z.boolean(),
    /** Since when it is online or offline; null for a device that was never heard of. */
    since: z.number().int().nullable(),
    lastSeen: z.number().int().nullable(),
    via: z.enum(['mqtt', 'socket', 'http', 'gateway']).nullable(),
    /** The replica that holds, or last held, its link. */
    replica: z.string().nullable(),
    address: z.string().nullable(),
    protocol: z.string().nullable(),
    clientId: z.string().nullable(),
    /** Why it went offline. */
    reason: z.string().nullable(),
    /** The will that its last lost link left. */
    will: z.object({ topic: z.string(), payload: z.string(), at: z.number().int() }).nullable(),
  })
  .meta({ id: 'TelemetryConnection' });
export type ConnectionView = z.output<typeof ConnectionView>;

/** Attributes of one scope that were written or deleted together, as `version` of the device's attributes. */
export const AttributesChange = z
  .object({
    scope: z.enum(['client', 'shared', 'server']),
    version: z.number().int(),
    changed: z.record(z.string(), z.unknown()),
    deleted: z.array(z.string()),
    at: z.number().int(),
  })
  .meta({ id: 'TelemetryAttributesChange' });
export type AttributesChange = z.output<typeof AttributesChange>;

/** How far a device is with a package. */
export const FirmwareView = z
  .object({
    kind: z.enum(['firmware', 'software']),
    package: z.uuid(),
    title: z.string(),
    version: z.string(),
    rollout: z.uuid().nullable(),
    state: z.enum(['queued', 'initiated', 'downloading', 'downloaded', 'verified', 'updating', 'updated', 'failed']),
    /** Bytes that the device has loaded, as far as the platform knows. */
    bytes: z.number().int(),
    error: z.string().nullable(),
    updatedAt: z.number().int(),
  })
  .meta({ id: 'TelemetryDeviceFirmware' });
export type FirmwareView = z.output<typeof FirmwareView>;

/** How far a rollout is; counts are devices. */
export const RolloutView = z
  .object({
    id: z.uuid(),
    package: z.uuid(),
    profile: z.uuid(),
    /** Share of the profile's devices, in percent. */
    percent: z.number(),
    /** It stops once this share of the devices that have ended, in percent, has failed, and at least `stopAfter` have. */
    stopPercent: z.number(),
    stopAfter: z.number().int(),
    state: z.enum(['running', 'stopped', 'done', 'cancelled']),
    assigned: z.number().int(),
    inProgress: z.number().int(),
    updated: z.number().int(),
    failed: z.number().int(),
    message: z.string().nullable(),
    createdAt: z.number().int(),
    finishedAt: z.number().int().nullable(),
  })
  .meta({ id: 'TelemetryRollout' });
export type RolloutView = z.output<typeof RolloutView>;

/** What viewers of a device are told of it, besides its readings. */
export const DeviceEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('presence'), data: ConnectionView }),
  z.object({ event: z.literal('command'), data: CommandView }),
  z.object({ event: z.literal('attributes'), data: AttributesChange }),
  z.object({ event: z.literal('firmware'), data: FirmwareView }),
  /** Something about its connection that is no change of it: a will, a refused publish, a failed attempt to connect. */
  z.object({
    event: z.literal('connection'),
    data: z.object({
      kind: z.enum(['will', 'refused']),
      reason: z.string(),
      topic: z.string().nullable(),
      at: z.number().int(),
    }),
  }),
]);
export type DeviceEvent = z.output<typeof DeviceEvent>;

/** The subject on which a device's {@link DeviceEvent}s are told to viewers. */
export const deviceEventsSubject = (deviceId: string): string => `device-events.${deviceId}`;

/** The subject on which the progress of one rollout is told to viewers, as a {@link RolloutView}. */
export const rolloutSubject = (rolloutId: string): string => `rollouts.${rolloutId}`;

/**
 * What a replica says to whichever replica holds a device's link. `commands`, `attributes` and `firmware` only say that there is something
 * to look for: who does not hear it finds it when the device connects.
 */
export const LinkMessage = z.discriminatedUnion('type', [
  /** A new link of the device: links of `via` that were there before it, on any replica, end. */
  z.object({ type: z.literal('opened'), link: z.uuid(), via: z.enum(['mqtt', 'socket', 'http', 'gateway']) }),
  z.object({ type: z.literal('command'), command: CommandView }),
  /** Who could send the device a command that somebody on replica `asker` waits for? Known by `request`. */
  z.object({ type: z.literal('command-wanted'), request: z.uuid(), asker: z.uuid() }),
  /** That link of the device has ended: another one that is still there is what it is connected by. */
  z.object({ type: z.literal('closed'), link: z.uuid() }),
  z.object({ type: z.literal('attributes') }),
  z.object({ type: z.literal('firmware') }),
  /** Something for the device as it is, from its master or agent; `payload` is base64. */
  z.object({ type: z.literal('relay'), id: z.uuid(), from: z.uuid(), topic: z.string(), payload: z.string() }),
  /** What the device sent to its master or agent, by the id of the message, was passed on. */
  z.object({ type: z.literal('relayed'), id: z.uuid() }),
]);
export type LinkMessage = z.output<typeof LinkMessage>;

/** What replicas say to one of them about a command that somebody waits for. */
export const ReplicaMessage = z.discriminatedUnion('type', [
  /** To who asked: the device is linked to `replica` and takes commands. */
  z.object({ type: z.literal('offer'), request: z.uuid(), replica: z.uuid() }),
  /** To who offered it: send this one. */
  z.object({ type: z.literal('send'), command: CommandView }),
  /** To who waits for it. */
  z.object({ type: z.literal('ended'), command: CommandView }),
]);
export type ReplicaMessage = z.output<typeof ReplicaMessage>;

/** The subject on which {@link ReplicaMessage}s for one replica go. */
export const replicaSubject = (replicaId: string): string => `replicas.${replicaId}`;

/** The subject on which {@link LinkMessage}s for a device go to the replica that holds its link. */
export const linkSubject = (deviceId: string): string => `link.${deviceId}`;
