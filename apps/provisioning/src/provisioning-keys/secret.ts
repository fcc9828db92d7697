import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'fpk_';

/** A new provisioning key: 192 random bits as base64url (RFC 4648 section 5) behind a prefix that tells what it is. */
export const randomKey = (): string => `${PREFIX}${randomBytes(24).toString('base64url')}`;

/** Does a bearer token say that it is a provisioning key? */
export const isProvisioningKey = (token: string): boolean => token.startsWith(PREFIX);

/** What is kept of a key, or of what devices are told apart by: SHA-256, hexadecimal. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
