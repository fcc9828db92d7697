import { CodedError } from '#contracts';

/** What a sender waits before it sends again, in milliseconds. */
export const RETRY_AFTER_MS = 1_000;

/** The refusal of an append that may be tried again. */
export function busy(why: string, cause?: unknown): CodedError {
  return new CodedError('BUSY', `The readings were not accepted: ${why}. Send them again.`, {
    retryAfterMs: RETRY_AFTER_MS,
    cause,
  });
}
