import { CodedError, ERRORS, type ErrorCode } from '#contracts';
import { HttpFailure } from './http.ts';

/** Codes that a new token may cure. */
const CREDENTIAL_CODES = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'BAD_CREDENTIALS']);

/** Refusals of one and the same batch after which its readings are tried in halves. */
const SPLIT_AFTER = 3;
/** Refusals of one and the same reading after which it is given up, if others were accepted meanwhile. */
const GIVE_UP_AFTER = 8;

/** Is this a refusal that a new token may cure? */
export const isCredentialCode = (code: string): boolean => CREDENTIAL_CODES.has(code);

/** Refusals that are about the device and not about what it sends: its readings wait until somebody has put it right. */
const DEVICE_CODES = new Set(['FORBIDDEN', 'DEVICE_DISABLED', 'TOPIC_NOT_ALLOWED']);

/** Does it take a person to cure this? What is not final is load, failure, or a network that does not work just now. */
export function isFinal(error: unknown): boolean {
  const coded = CodedError.from(error);
  if (coded) return isPermanent(coded.code);
  return error instanceof HttpFailure && error.status < 500 && error.status !== 429 && error.status !== 408;
}

/** When the platform wants to be asked again, in milliseconds; undefined if it did not say. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof HttpFailure ? error.retryAfterMs : CodedError.from(error)?.retryAfterMs;
}

/** Is it no use to send the same again, whatever happens meanwhile? Not so where it is the credentials or the device that are refused. */
export const isForGood = (code: string): boolean =>
  isPermanent(code) && !isCredentialCode(code) && !DEVICE_CODES.has(code);

/** What to do with a batch that was refused. */
export type Verdict = 'retry' | 'authenticate' | 'split' | 'reject';

/** What a verdict depends on. */
export interface RefusedBatch {
  readings: number;
  /** How often this batch was refused, this time included. */
  refusals: number;
  /** Was another batch accepted since this one was first refused? */
  othersAccepted: boolean;
}

/**
 * Decides over a batch that was refused as a whole. Load and failure are waited out; what no resend can cure is halved
 * until the offending reading stands alone, which is rejected. `INTERNAL` and unknown codes are waited out too, but if
 * the same readings meet them again and again while others pass, the fault is taken to be with them, so that one poisonous
 * reading cannot hold up an outbox.
 */
export function judge(code: string, batch: RefusedBatch): Verdict {
  if (isCredentialCode(code) || DEVICE_CODES.has(code)) return 'authenticate';
  if (isPermanent(code)) return batch.readings > 1 ? 'split' : 'reject';
  if (isPassing(code)) return 'retry';
  if (batch.readings > 1) return batch.refusals >= SPLIT_AFTER ? 'split' : 'retry';
  return batch.refusals >= GIVE_UP_AFTER && batch.othersAccepted ? 'reject' : 'retry';
}

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

function isPermanent(code: string): boolean {
  return isKnown(code) && ERRORS[code].status < 500 && ERRORS[code].status !== 429;
}

function isPassing(code: string): boolean {
  return isKnown(code) && code !== 'INTERNAL' && !isPermanent(code);
}
