import { createHash, timingSafeEqual } from 'node:crypto';
import { canonicalUserName } from './user-name.ts';

/**
 * What is kept of a password and its user name: SHA-256, hexadecimal. Our passwords are 192 random bits, which nobody guesses: a slow
 * hash would add nothing (see access-token.ts).
 */
export const passwordHash = (userName: string, password: string): string =>
  createHash('sha256')
    .update(JSON.stringify([canonicalUserName(userName), password]))
    .digest('hex');

/** Compares two hashes of one length in a time that does not tell where they differ. */
export const isSameHash = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
