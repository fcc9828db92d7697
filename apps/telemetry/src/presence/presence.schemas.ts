import { z } from 'zod';
import { ConnectionView, LIMITS, pageOf } from '#contracts';

export const ConnectionReply = ConnectionView;

export const HistoryQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).default(100),
  cursor: z.string().max(512).optional(),
});
export type HistoryQuery = z.output<typeof HistoryQuery>;

/** Something that happened to a device's connection; `at` in ms since the epoch. */
export const ConnectionEntry = z
  .object({
    id: z.uuid(),
    kind: z.enum(['online', 'offline', 'will', 'refused']),
    at: z.number().int(),
    via: z.enum(['mqtt', 'socket', 'http', 'gateway']).nullable(),
    replica: z.string().nullable(),
    address: z.string().nullable(),
    reason: z.string().nullable(),
    topic: z.string().nullable(),
  })
  .meta({ id: 'TelemetryConnectionEntry' });
export type ConnectionEntry = z.output<typeof ConnectionEntry>;

export const HistoryPage = pageOf(ConnectionEntry).meta({ id: 'TelemetryConnectionPage' });
