import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { TOKEN_ALGORITHM, type Claims } from '#access';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '#contracts';
import { AUTH_CONFIG, type AuthConfig } from '../config.ts';
import type { User } from '../users/user.entity.ts';
import { KeyRing } from './key-ring.ts';

export interface AccessToken {
  token: string;
  /** ms since the epoch. */
  expiresAt: number;
}

/** Signs access tokens (RFC 7519). */
@Injectable()
export class AccessTokens {
  constructor(
    @Inject(KeyRing) private readonly keys: KeyRing,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** A token for a user within one login; `at` is the time of issue, ms since the epoch. */
  issue(user: Pick<User, 'id' | 'role' | 'customerId'>, sessionId: string, at: number): AccessToken {
    const { id: keyid, privateKey } = this.keys.signer();
    const iat = Math.floor(at / 1000);
    const exp = iat + this.config.ACCESS_TOKEN_SECONDS;
    const claims: Claims & { iat: number } = {
      sub: user.id,
      sid: sessionId,
      role: user.role,
      cid: user.customerId,
      at,
      iat,
      exp,
    };
    const token = jwt.sign(claims, privateKey, {
      algorithm: TOKEN_ALGORITHM,
      keyid,
      issuer: TOKEN_ISSUER,
      audience: TOKEN_AUDIENCE,
    });
    return { token, expiresAt: exp * 1000 };
  }
}
