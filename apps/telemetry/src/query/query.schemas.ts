import { z } from 'zod';
import { Ledger, LIMITS, Location, pageOf, ReadingValue, ReadingView, SENSOR_NAME } from '#contracts';

/** A time as the API takes it: milliseconds since the epoch, or ISO 8601 with an offset. */
const Time = z.union([
  z.coerce.number().int().min(0).max(8.64e15),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

const Sensor = z.string().regex(SENSOR_NAME, 'is not a sensor name: 1 to 64 of A-Z a-z 0-9 _ . - : /');

/** The end of time in JavaScript, ms since the epoch (ECMA-262 section 21.4.1.1). */
const END_OF_TIME = 8.64e15;

export const LatestQuery = z.strictObject({
  sensors: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(Sensor).max(LIMITS.pageItems))
    .optional(),
});
export type LatestQuery = z.output<typeof LatestQuery>;

export const RangeQuery = z.strictObject({
  sensor: Sensor.optional(),
  from: Time.default(0),
  to: Time.default(END_OF_TIME),
  order: z.enum(['asc', 'desc']).default('desc'),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).default(100),
  cursor: z.string().max(512).optional(),
});
export type RangeRequest = z.output<typeof RangeQuery>;

export const LatestReply = z
  .record(
    z.string(),
    z.object({
      value: ReadingValue,
      unit: z.string().optional(),
      ts: z.number().int(),
      receivedAt: z.number().int(),
      location: Location.optional(),
    }),
  )
  .meta({ id: 'Latest' });

export const RangeReply = pageOf(ReadingView).meta({ id: 'ReadingPage' });
export const LedgerReply = Ledger;

export const DeadLettersQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).default(100),
  cursor: z.coerce.number().int().min(0).default(0),
});
export type DeadLettersQuery = z.output<typeof DeadLettersQuery>;

export const DeadLetterPage = pageOf(
  z
    .object({ id: z.number().int(), at: z.number().int(), reason: z.string(), body: z.string() })
    .meta({ id: 'DeadLetter' }),
).meta({ id: 'DeadLetterPage' });
