import { z } from 'zod';

/**
 * queued: kept for the device; sent: on its way to it; delivered: the device has it; succeeded and failed: the device's answer; timed-out:
 * no answer in time; expired: it was not delivered in time; cancelled: called off by a person.
 */
export const CommandStatus = z.enum([
  'queued',
  'sent',
  'delivered',
  'succeeded',
  'failed',
  'timed-out',
  'expired',
  'cancelled',
]);
export type CommandStatus = z.output<typeof CommandStatus>;

/** A command and what became of it; times are ms since the epoch. */
export const CommandView = z
  .object({
    id: z.uuid(),
    device: z.uuid(),
    /** Counts the commands of one device, from 1: what devices of ThingsBoard's API know it by. */
    number: z.number().int(),
    method: z.string(),
    params: z.unknown(),
    status: CommandStatus,
    persist: z.boolean(),
    /** What the device answered. */
    result: z.unknown(),
    /** Why it failed, in words. */
    error: z.string().nullable(),
    createdBy: z.uuid(),
    createdAt: z.number().int(),
    expiresAt: z.number().int(),
    sentAt: z.number().int().nullable(),
    deliveredAt: z.number().int().nullable(),
    finishedAt: z.number().int().nullable(),
  })
  .meta({ id: 'TelemetryCommand' });
export type CommandView = z.output<typeof CommandView>;
