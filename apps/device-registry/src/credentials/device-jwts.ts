import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { CodedError, DEVICE_TOKEN_ISSUER } from '#contracts';

/** The only algorithm of devices' tokens: whatever a token's header says, no other one is tried (RFC 8725 section 3.1). */
const ALGORITHM = 'HS256' as const;

/** What a token says: `sub` is the device, `jti` the credential. */
const DeviceClaims = z.object({ sub: z.uuid(), jti: z.uuid(), exp: z.int() });

/** Which credential of which device a token stands for, and until when (ms since the epoch). */
export interface DeviceToken {
  deviceId: string;
  credentialId: string;
  expiresAt: number;
}

/** The key of devices' JSON web tokens (HKDF, RFC 5869) of a process' secret key. */
export const deviceJwtKey = (secretKey: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', 'device json web tokens', 32)));

/** JSON web tokens (RFC 7519) of devices. Any number of them stand for one credential and end with it, and each by itself after a time. */
export class DeviceJwts {
  constructor(
    private readonly key: KeyObject,
    private readonly lifetimeSeconds: number,
  ) {}

  sign(deviceId: string, credentialId: string, now: number): { token: string; expiresAt: number } {
    const iat = Math.floor(now / 1_000);
    const exp = iat + this.lifetimeSeconds;
    const claims = { iss: DEVICE_TOKEN_ISSUER, sub: deviceId, jti: credentialId, iat, exp };
    return { token: jwt.sign(claims, this.key, { algorithm: ALGORITHM }), expiresAt: exp * 1_000 };
  }

  /** Throws `BAD_CREDENTIALS` for what is no token of ours, `TOKEN_EXPIRED`. */
  verify(token: string, now: number): DeviceToken {
    const { sub, jti, exp } = this.claimsOf(token, now);
    return { deviceId: sub, credentialId: jti, expiresAt: exp * 1_000 };
  }

  private claimsOf(token: string, now: number): z.output<typeof DeviceClaims> {
    const rules = {
      algorithms: [ALGORITHM],
      issuer: DEVICE_TOKEN_ISSUER,
      clockTimestamp: Math.floor(now / 1_000),
    } satisfies jwt.VerifyOptions;
    try {
      return DeviceClaims.parse(jwt.verify(token, this.key, rules));
    } catch (cause) {
      throw cause instanceof jwt.TokenExpiredError
        ? new CodedError('TOKEN_EXPIRED', 'The token has expired: ask for a new one.', { cause })
        : new CodedError('BAD_CREDENTIALS', 'The token is not valid: ask for a new one.', { cause });
    }
  }
}
