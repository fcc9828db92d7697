import { badPayload, objectOf } from './payload.ts';

/** What a device says so that somebody can claim it. */
export interface ClaimAnnouncement {
  secretKey: string;
  durationMs?: number;
}

const LONGEST_SECRET = 128;
const LONGEST_MS = 31_536_000_000;

/** `{"secretKey": "abc", "durationMs": 60000}`; both may be missing, as may be the whole document. Throws `BAD_PAYLOAD`. */
export function parseClaim(document: unknown): ClaimAnnouncement {
  if (document === undefined || document === null) return { secretKey: '' };
  const { secretKey, durationMs } = objectOf(document, 'A claim');
  if (secretKey !== undefined && secretKey !== null && typeof secretKey !== 'string') {
    throw badPayload('"secretKey" must be a string.');
  }
  const secret = secretKey ?? '';
  if (secret.length > LONGEST_SECRET) {
    throw badPayload(`"secretKey" may have at most ${String(LONGEST_SECRET)} characters.`);
  }
  return { secretKey: secret, ...durationOf(durationMs) };
}

function durationOf(durationMs: unknown): { durationMs?: number } {
  if (durationMs === undefined || durationMs === null) return {};
  const ms = typeof durationMs === 'number' ? Math.trunc(durationMs) : Number.NaN;
  if (ms >= 1 && ms <= LONGEST_MS) return { durationMs: ms };
  throw badPayload(`"durationMs" must be milliseconds, from 1 to ${String(LONGEST_MS)}.`);
}
