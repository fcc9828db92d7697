import { z } from 'zod';
import { CommandStatus, CommandView, LIMITS, pageOf } from '#contracts';
import { JsonValue } from './json-value.ts';

const MAX_EXPIRY_SECONDS = 30 * 86_400;

/** What a person wants of a device. */
export const SendCommand = z
  .strictObject({
    method: z
      .string()
      .min(1)
      .max(255)
      .regex(/^[^\p{Cc}\p{Surrogate}]*$/u, 'must have no control characters'),
    params: JsonValue.optional().describe('Any JSON of at most 64 KiB'),
    timeoutMs: z
      .number()
      .int()
      .min(1)
      .max(300_000)
      .default(10_000)
      .describe('How long to wait for the answer, in ms; not with persist'),
    persist: z.boolean().default(false).describe('Keep it until the device can be reached, and do not wait'),
    expiresInSeconds: z
      .number()
      .int()
      .min(1)
      .max(MAX_EXPIRY_SECONDS)
      .default(86_400)
      .describe('How long it is kept, with persist'),
  })
  .meta({ id: 'TelemetrySendCommand' });
export type SendCommand = z.output<typeof SendCommand>;

/** What became of a command that was sent just now. */
export const SentCommand = z
  .object({
    id: z.uuid(),
    status: CommandStatus,
    result: z.unknown().optional().describe('What the device answered'),
    error: z.string().optional().describe('Why it failed, in words'),
  })
  .meta({ id: 'TelemetrySentCommand' });
export type SentCommand = z.output<typeof SentCommand>;

export const CommandsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).default(100),
  cursor: z.string().max(512).optional(),
  status: CommandStatus.optional(),
});
export type CommandsQuery = z.output<typeof CommandsQuery>;

export const CommandPage = pageOf(CommandView).meta({ id: 'TelemetryCommandPage' });

/** The header `Idempotency-Key`. */
export const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'Idempotency-Key must be 1 to 128 visible ASCII characters')
  .optional();
