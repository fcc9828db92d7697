import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type DevicePrincipal, type UserPrincipal } from '#contracts';
import { principalOf, type Claims } from './claims.ts';
import { DeviceCredentials } from './device-credentials.ts';
import { TokenVerifier } from './token-verifier.ts';

/** Somebody who is calling, and until when that holds (ms since the epoch; null: until revoked). */
export type Authenticated =
  | { principal: UserPrincipal; claims: Claims; expiresAt: number }
  | { principal: DevicePrincipal; expiresAt: number | null };

/** A JSON web token has three parts between dots (RFC 7515 section 7.1); a device's access token has no dot. */
const looksLikeJwt = (token: string): boolean => token.includes('.');

/** Tells who is calling from a bearer token, the same way at every door: a person's JWT or a device's access token. */
@Injectable()
export class Authenticator {
  constructor(
    @Inject(TokenVerifier) private readonly people: TokenVerifier,
    @Inject(DeviceCredentials) private readonly devices: DeviceCredentials,
  ) {}

  /** Throws `UNAUTHENTICATED`, `BAD_CREDENTIALS`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, or `UNAVAILABLE`. */
  async authenticate(token: string | undefined): Promise<Authenticated> {
    if (token === undefined || token === '') {
      throw new CodedError(
        'UNAUTHENTICATED',
        'A token is needed: a device access token, or the token of POST /user/login.',
      );
    }
    if (token.length > 4_096) throw new CodedError('UNAUTHENTICATED', 'The token is too long to be one of ours.');
    if (looksLikeJwt(token)) {
      const claims = await this.people.verify(token);
      return { principal: principalOf(claims), claims, expiresAt: claims.exp * 1000 };
    }
    const principal = await this.devices.verify(token);
    return { principal, expiresAt: principal.expiresAt };
  }
}

/** The token of an `Authorization: Bearer <token>` header (RFC 6750 section 2.1). */
export const bearerToken = (header: string | undefined): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
