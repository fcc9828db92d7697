import type { CodedError, ErrorCode } from '#contracts';

/** What the document answers with 403, whatever status it has elsewhere. */
const REFUSALS = new Set<ErrorCode>([
  'CUSTOMER_UNKNOWN',
  'DEVICE_LIMIT_REACHED',
  'CREDENTIAL_LIMIT_REACHED',
  'ALREADY_ACTIVATED',
  'NOT_REGISTERED',
  'BAD_CREDENTIALS',
  'DEVICE_DISABLED',
]);

/** Errors of the two steps as their document has them: `{error}` with the reason. */
export const reasonShape = (error: CodedError): { status: number; body: { error: string } } => ({
  status: REFUSALS.has(error.code) ? 403 : error.code === 'UPSTREAM_TIMEOUT' ? 503 : error.status,
  body: { error: error.message },
});
