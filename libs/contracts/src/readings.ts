import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.ts';
import { LIMITS } from './limits.ts';

/** Names a sensor may have: 1-64 of `A-Z a-z 0-9 _ . - : /`. */
export const SENSOR_NAME = /^[A-Za-z0-9_.:/-]{1,64}$/;

/** Where a reading was taken: a label, or WGS 84 degrees with metres above the ellipsoid. */
export const Location = z.union([
  z.string().min(1).max(LIMITS.locationChars),
  z.strictObject({
    lat: z.number().min(-90).max(90),
    lon: z.number().min(-180).max(180),
    alt: z.number().optional(),
  }),
]);
export type Location = z.output<typeof Location>;

/** A value: finite number, boolean, string up to 4 KiB, or JSON object up to 8 KiB. */
export const ReadingValue = z.union([
  z.number(),
  z.boolean(),
  z.string().max(LIMITS.valueStringBytes),
  z.record(z.string(), z.unknown()),
]);
export type ReadingValue = z.output<typeof ReadingValue>;

/** A timestamp as devices may write it: milliseconds since the epoch, or ISO 8601 with an offset. */
const Timestamp = z.union([z.number().int().min(0), z.iso.datetime({ offset: true })]);

/** A reading as devices send it. One of `sensor` and `sensorType` is needed; `ts` and `timestamp` are the same thing; null is the same as absent. */
export const ReadingInput = z
  .strictObject({
    device: z.string().min(1).max(128).nullish(),
    sensor: z.string().regex(SENSOR_NAME).optional(),
    sensorType: z.string().regex(SENSOR_NAME).optional(),
    value: ReadingValue,
    unit: z.string().max(LIMITS.unitChars).nullish(),
    location: Location.nullish(),
    ts: Timestamp.nullish(),
    timestamp: Timestamp.nullish(),
  })
  .meta({ id: 'ReadingInput' });
export type ReadingInput = z.input<typeof ReadingInput>;

/** What a door takes: one reading or an array of up to 1,000. */
export const ReadingsPayload = z
  .union([ReadingInput, z.array(ReadingInput).min(1).max(LIMITS.batchReadings)])
  .meta({ id: 'ReadingsPayload' });

/** A reading as we keep it; `ts` and `receivedAt` are milliseconds since the epoch, UTC. */
export interface Reading {
  sensor: string;
  ts: number;
  value: ReadingValue;
  unit?: string;
  location?: Location;
  receivedAt: number;
}

/** A reading as the API returns it. */
export const ReadingView = z
  .object({
    sensor: z.string(),
    ts: z.number().int(),
    value: ReadingValue,
    unit: z.string().optional(),
    location: Location.optional(),
    receivedAt: z.number().int(),
  })
  .meta({ id: 'Reading' });

const CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Why one reading of a batch was refused; `index` counts from 0. */
export const Rejection = z
  .object({ index: z.number().int(), code: z.enum(CODES), message: z.string() })
  .meta({ id: 'Rejection' });
export type Rejection = z.output<typeof Rejection>;

/** The receipt of a batch: everything in `accepted` is on stable storage. */
export const Receipt = z
  .object({
    ok: z.literal(true),
    batchId: z.string(),
    accepted: z.number().int(),
    rejected: z.array(Rejection),
  })
  .meta({ id: 'Receipt' });
export type Receipt = z.output<typeof Receipt>;

/** The answer when nothing of a batch was accepted because the batch itself could not be. */
export const Refusal = z
  .object({ ok: z.literal(false), code: z.enum(CODES), message: z.string(), retryAfterMs: z.number().int().optional() })
  .meta({ id: 'Refusal' });
export type Refusal = z.output<typeof Refusal>;

/** What was done with everything a device ever sent; `received` equals the sum of the rest. */
export const Ledger = z
  .object({
    received: z.number().int(),
    stored: z.number().int(),
    duplicate: z.number().int(),
    conflict: z.number().int(),
    rejected: z.number().int(),
    queued: z.number().int(),
  })
  .meta({ id: 'Ledger' });
export type Ledger = z.output<typeof Ledger>;
