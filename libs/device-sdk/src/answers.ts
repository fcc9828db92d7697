import { z } from 'zod';

/**
 * What a platform says, as a device reads it: the shapes of Receipt and Refusal in the contracts, but open to codes that
 * a newer platform may have, since devices are updated later than platforms.
 */
export const Receipt = z.object({
  ok: z.literal(true),
  batchId: z.string(),
  accepted: z.number(),
  rejected: z.array(z.object({ index: z.number().int(), code: z.string(), message: z.string() })),
});
export type DeviceReceipt = z.output<typeof Receipt>;

const Trouble = z.object({ code: z.string(), message: z.string(), retryAfterMs: z.number().min(0).optional() });
/** A refusal with its code, what was wrong, and after how many milliseconds to come back. */
export type Trouble = z.output<typeof Trouble>;

const Answer = z.union([Receipt, Trouble.extend({ ok: z.literal(false) })]);
/** The acknowledgement of a batch. */
export type Answer = z.output<typeof Answer>;

const Saying = z.union([z.looseObject({ ok: z.literal(true) }), Trouble.extend({ ok: z.literal(false) })]);
/** Done, with whatever was asked for, or refused. */
export type Saying = z.output<typeof Saying>;

/** Reads the acknowledgement of a batch; one that is neither receipt nor refusal counts as a refusal to be retried. */
export function readAnswer(value: unknown): Answer {
  const parsed = Answer.safeParse(value);
  if (parsed.success) return parsed.data;
  return { ok: false, code: 'INTERNAL', message: 'The platform gave an acknowledgement that is not a receipt.' };
}

/** Reads the acknowledgement of anything else; one that is none counts as a refusal to be retried. */
export function readSaying(value: unknown): Saying {
  const parsed = Saying.safeParse(value);
  if (parsed.success) return parsed.data;
  return { ok: false, code: 'INTERNAL', message: 'The platform gave an acknowledgement that is not one.' };
}

/** Reads the `data` of a `connect_error`; undefined for one that has none, such as a server that cannot be reached. */
export function readTrouble(error: object): Trouble | undefined {
  return 'data' in error ? Trouble.safeParse(error.data).data : undefined;
}
