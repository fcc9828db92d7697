import { z } from 'zod';
import { LIMITS, SENSOR_NAME, type Reading } from '#contracts';
import type { LogEntry, LogReading } from '../reading-log/log-body.ts';

/** Imports that one viewer follows. */
export const MAX_JOBS = 100;

/** Rollouts that one viewer follows. */
export const MAX_ROLLOUTS = 100;

/** What viewers can be told of devices beside their readings: the names of the events. */
export const ViewedEvent = z.enum(['presence', 'command', 'attributes', 'firmware', 'connection']);
export type ViewedEvent = z.output<typeof ViewedEvent>;

/**
 * What a viewer asks for: the devices, only these sensors, and with `since` (ms) what was missed from then on; `events` beside the
 * devices' readings; and imports and rollouts, whose progress it wants.
 */
export const SubscribeRequest = z
  .strictObject({
    devices: z.array(z.uuid()).min(1).max(LIMITS.liveDevices).optional(),
    sensors: z.array(z.string().regex(SENSOR_NAME)).min(1).max(LIMITS.pageItems).optional(),
    since: z.number().int().min(0).optional(),
    events: z.array(ViewedEvent).max(ViewedEvent.options.length).optional(),
    jobs: z.array(z.uuid()).min(1).max(MAX_JOBS).optional(),
    rollouts: z.array(z.uuid()).min(1).max(MAX_ROLLOUTS).optional(),
  })
  .refine(({ devices, jobs, rollouts }) => [devices, jobs, rollouts].some((asked) => asked !== undefined), {
    path: ['devices'],
    error: 'devices, jobs or rollouts are needed',
  });
export type SubscribeRequest = z.output<typeof SubscribeRequest>;

/** What a viewer no longer wants; without any of them everything. */
export const UnsubscribeRequest = z.strictObject({
  devices: z.array(z.uuid()).max(LIMITS.liveDevices).optional(),
  jobs: z.array(z.uuid()).max(MAX_JOBS).optional(),
  rollouts: z.array(z.uuid()).max(MAX_ROLLOUTS).optional(),
});

/** The event `readings` of a viewer. */
export interface LiveReadings {
  device: string;
  readings: Reading[];
  /** Stored before the subscription: what `since` asked for. */
  replay?: true;
}

/** A reading of the log as viewers get it. */
export const readingOf = ([sensor, ts, value, unit, location]: LogReading, receivedAt: number): Reading => ({
  sensor,
  ts,
  value,
  ...(unit === undefined || unit === null ? {} : { unit }),
  ...(location === undefined || location === null ? {} : { location }),
  receivedAt,
});

/** The readings of one entry that a viewer of these sensors gets; without `sensors` all. */
export function readingsOf([, receivedAt, , readings]: LogEntry, sensors: ReadonlySet<string> | undefined): Reading[] {
  const wanted = sensors ? readings.filter(([sensor]) => sensors.has(sensor)) : readings;
  return wanted.map((reading) => readingOf(reading, receivedAt));
}
