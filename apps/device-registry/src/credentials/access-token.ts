import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Random bytes of an access token: 192 bits. */
const TOKEN_BYTES = 24;

/** A new access token: 192 random bits as base64url (RFC 4648 section 5), 32 characters. */
export const randomToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/**
 * What is kept of a token: SHA-256, hexadecimal. A password needs a slow hash because it can be guessed; 192 bits cannot, so a
 * fast one keeps the token secret just as well, and lets it be looked up by index.
 */
export const tokenHash = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The key of derived tokens (HKDF, RFC 5869) of a process' secret key. */
export const deviceTokenKey = (secretKey: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secretKey, '', 'device tokens', 32));

/**
 * The token of a device that provisions itself: always the same one for the same device and generation, though nothing but its
 * hash is kept. HMAC-SHA256 cut to 192 bits is as hard to guess as a random token for whoever lacks the key.
 */
export const derivedToken = (key: Buffer, deviceId: string, generation: number): string =>
  createHmac('sha256', key)
    .update(`${deviceId}:${String(generation)}`)
    .digest()
    .subarray(0, TOKEN_BYTES)
    .toString('base64url');
