import { ERRORS, type ErrorCode } from '#contracts';

/** Codes that a new token may cure. */
const CREDENTIAL_CODES = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'BAD_CREDENTIALS']);

/** Refusals of one and the same batch after which its readings are tried in halves. */
const SPLIT_AFTER = 3;
/** Refusals of one and the same reading after which it is given up, if others were accepted meanwhile. */
const GIVE_UP_AFTER = 8;

/** Is this a refusal that a new token may cure? */
export const isCredentialCode = (code: string): boolean => CREDENTIAL_CODES.has(code);

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
  if (isCredentialCode(code) || code === 'FORBIDDEN') return 'authenticate';
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
