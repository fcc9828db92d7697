import { CodedError } from '#contracts';

/** The same answer for a key that never was and for one that was revoked. */
export const unknownKey = (): CodedError =>
  new CodedError(
    'BAD_CREDENTIALS',
    'The provisioning key is not valid (any more): have a new one made (POST /api/provisioning/keys).',
  );

export const expiredKey = (): CodedError =>
  new CodedError(
    'TOKEN_EXPIRED',
    'The provisioning key has expired: have a new one made (POST /api/provisioning/keys).',
  );
