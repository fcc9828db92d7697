import { createHash } from 'node:crypto';

/**
 * What a thing that somebody's request makes is found by again: unique in its table, so that of many requests at once one makes it
 * and the others find it. SHA-256 of the parts, hexadecimal.
 */
export const identityKey = (...parts: (string | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');
