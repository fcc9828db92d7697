import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { CodedError, TOKEN_AUDIENCE, TOKEN_ISSUER } from '#contracts';
import { RpcClient } from '#messaging';
import { Claims } from './claims.ts';
import { JwksCache } from './jwks.ts';
import { Revocations } from './revocations.ts';

/** The only algorithm of people's access tokens: whatever a token's header says, no other one is tried (RFC 8725 section 3.1). */
export const TOKEN_ALGORITHM = 'ES256';

/** What a token is checked against, wherever it is checked. */
export const TOKEN_RULES = {
  algorithms: [TOKEN_ALGORITHM],
  issuer: TOKEN_ISSUER,
  audience: TOKEN_AUDIENCE,
} satisfies jwt.VerifyOptions;

/** Checks people's access tokens: as a whole, or the parts around the check of the signature. */
@Injectable()
export class TokenVerifier {
  private readonly jwks: JwksCache;

  constructor(
    @Inject(RpcClient) rpc: RpcClient,
    @Inject(Revocations) private readonly revocations: Revocations,
  ) {
    this.jwks = new JwksCache(() => rpc.call('auth.jwks', {}));
  }

  /** The claims of a valid token. Throws `UNAUTHENTICATED`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, or `UNAVAILABLE`. */
  async verify(token: string): Promise<Claims> {
    const key = await this.keyOf(token);
    return this.accept(verifiedPayload(token, key));
  }

  /** The public key that a token names. Throws `UNAUTHENTICATED` if it is none of ours, `UNAVAILABLE` without any keys. */
  async keyOf(token: string): Promise<KeyObject> {
    const keyId = keyIdOf(token);
    const key = keyId === undefined ? undefined : await this.jwks.get(keyId);
    if (!key) throw new CodedError('UNAUTHENTICATED', 'The token is not one of ours: log in to get one.');
    return key;
  }

  /** The claims of a payload whose signature was checked. Throws `UNAUTHENTICATED` or `TOKEN_REVOKED`. */
  accept(payload: unknown): Claims {
    const claims = Claims.safeParse(payload);
    if (!claims.success)
      throw new CodedError('UNAUTHENTICATED', 'The token lacks claims that ours have: log in to get one.');
    this.revocations.check(claims.data);
    return claims.data;
  }
}

/** The coded error for why a token was refused. */
export function tokenError(reason: unknown): CodedError {
  if (reason instanceof CodedError) return reason;
  return reason instanceof jwt.TokenExpiredError
    ? new CodedError('TOKEN_EXPIRED', 'The token has expired: refresh it or log in again.', { cause: reason })
    : new CodedError('UNAUTHENTICATED', 'The token is not valid: log in to get one.', { cause: reason });
}

/** Undefined if the token names no key, or is no token: a payload that is not JSON makes `decode` throw. */
function keyIdOf(token: string): string | undefined {
  try {
    return jwt.decode(token, { complete: true })?.header.kid;
  } catch {
    return undefined;
  }
}

function verifiedPayload(token: string, key: KeyObject): unknown {
  try {
    return jwt.verify(token, key, TOKEN_RULES);
  } catch (error) {
    throw tokenError(error);
  }
}
