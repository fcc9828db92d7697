import { z } from 'zod';
import type { CodedError, ErrorCode } from '#contracts';

/** What went wrong, in the one word that devices of this document understand. */
export const Refused = z.object({ c: z.enum(['FORBIDDEN', 'NOT_REGISTERED', 'ERROR']) }).meta({ id: 'DeviceResult' });
export type Refused = z.output<typeof Refused>;

const FORBIDDEN = new Set<ErrorCode>([
  'FORBIDDEN',
  'UNAUTHENTICATED',
  'BAD_CREDENTIALS',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
  'DEVICE_DISABLED',
]);
/** Where the document's status is another one than elsewhere. */
const STATUSES: Partial<Record<ErrorCode, number>> = { INVALID_INPUT: 400, UPSTREAM_TIMEOUT: 503 };

/** Errors as the document has them: `{"c": ...}`. */
export function resultShape(error: CodedError): { status: number; body: Refused } {
  if (FORBIDDEN.has(error.code)) return { status: 403, body: { c: 'FORBIDDEN' } };
  if (error.code === 'NOT_REGISTERED') return { status: 404, body: { c: 'NOT_REGISTERED' } };
  return { status: STATUSES[error.code] ?? error.status, body: { c: 'ERROR' } };
}
