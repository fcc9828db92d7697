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

/** What a token is checked against. */
const TOKEN_RULES = {
  algorithms: [TOKEN_ALGORITHM],
  issuer: TOKEN_ISSUER,
  audience: TOKEN_AUDIENCE,
} satisfies jwt.VerifyOptions;

/** Checks people's access tokens. */
@Injectable()
export class TokenVerifier {
  private readonly jwks: JwksCache;

  constructor(
    @Inject(RpcClient) rpc: RpcClient,
    @Inject(Revocations) private readonly revocations: Revocations,
  ) {
    this.jwks = new JwksCache(() => rpc.call('auth.jwks', {}));
  }

  /** The claims of a valid token. Throws `UNAUTHENTICATED`, `TOKEN_EXPIRED` or `TOKEN_REVOKED`. */
  async verify(token: string): Promise<Claims> {
    const key = await this.keyOf(token);
    const claims = Claims.safeParse(verifySignature(token, key));
    if (!claims.success)
      throw new CodedError('UNAUTHENTICATED', 'The token lacks claims that ours have: log in to get one.');
    this.revocations.check(claims.data);
    return claims.data;
  }

  private async keyOf(token: string): Promise<KeyObject> {
    const kid = jwt.decode(token, { complete: true })?.header.kid;
    const key = kid === undefined ? undefined : await this.jwks.get(kid);
    if (!key) throw new CodedError('UNAUTHENTICATED', 'The token is not one of ours: log in to get one.');
    return key;
  }
}

function verifySignature(token: string, key: KeyObject): unknown {
  try {
    return jwt.verify(token, key, TOKEN_RULES);
  } catch (error) {
    throw error instanceof jwt.TokenExpiredError
      ? new CodedError('TOKEN_EXPIRED', 'The token has expired: refresh it or log in again.', { cause: error })
      : new CodedError('UNAUTHENTICATED', 'The token is not valid: log in to get one.', { cause: error });
  }
}
