import { createHash, createHmac, randomBytes } from 'node:crypto';
import { derivedKey } from '../keys/key-vault.ts';

/** Refresh tokens: opaque, 256 bits, stored only as their hash. */
export class RefreshSecrets {
  private readonly key: Buffer;

  constructor(secret: string) {
    this.key = derivedKey(secret, 'refresh tokens');
  }

  random(): string {
    return randomBytes(32).toString('base64url');
  }

  /**
   * The successor of `token` for a client that names its attempt: the same one each time, so that a reply that got lost can
   * be given again without ever having been stored.
   */
  successor(token: string, attempt: string): string {
    return createHmac('sha256', this.key)
      .update(JSON.stringify([token, attempt]))
      .digest('base64url');
  }
}

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');
