import { createCipheriv, createDecipheriv, createPrivateKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { ConfigError } from '#platform';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A key for one purpose, derived from `SECRET_KEY` (HKDF, RFC 5869). */
export const derivedKey = (secret: string, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `fieldline ${purpose}`, 32));

/** Keeps private keys encrypted: AES-256-GCM bound to the key's id; base64 of nonce, tag and ciphertext. */
export class KeyVault {
  private readonly key: Buffer;

  constructor(secret: string) {
    this.key = derivedKey(secret, 'signing keys');
  }

  seal(id: string, privateKey: KeyObject): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.key, iv).setAAD(Buffer.from(id));
    const sealed = [cipher.update(privateKey.export({ type: 'pkcs8', format: 'der' })), cipher.final()];
    return Buffer.concat([iv, cipher.getAuthTag(), ...sealed]).toString('base64');
  }

  /** Throws {@link ConfigError} if it was sealed with another secret. */
  open(id: string, sealed: string): KeyObject {
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(CIPHER, this.key, bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(id))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return createPrivateKey({ key: opened(decipher, bytes), type: 'pkcs8', format: 'der' });
  }
}

function opened(decipher: ReturnType<typeof createDecipheriv>, bytes: Buffer): Buffer {
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    throw new ConfigError([
      'SECRET_KEY: does not open the signing keys in the database. Set the one they were stored with; if it is lost, ' +
        'delete all rows of the table signing_keys: everybody then has to log in again',
    ]);
  }
}
