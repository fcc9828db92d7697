import { createHash, X509Certificate } from 'node:crypto';

/** What a client certificate is known by, and when its time is over (ms since the epoch). */
export interface Certificate {
  fingerprint: string;
  expiresAt: number;
}

/** What a certificate is known by: SHA-256 of its DER form, hexadecimal in lower case. */
export const fingerprintOf = (der: Buffer): string => createHash('sha256').update(der).digest('hex');

/**
 * Reads a certificate (RFC 5280) from PEM (RFC 7468; of several, the first), or from what stands between the lines of PEM; undefined if it
 * is none. Nobody has checked who signed it.
 */
export function readCertificate(text: string): Certificate | undefined {
  try {
    const { raw, validTo } = new X509Certificate(text.includes('-----') ? text : Buffer.from(text, 'base64'));
    return { fingerprint: fingerprintOf(raw), expiresAt: Date.parse(validTo) };
  } catch {
    return undefined;
  }
}
