import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Request, RequestHandler, Response } from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy, type VerifiedCallback } from 'passport-jwt';
import { CodedError, type UserPrincipal } from '#contracts';
import { principalOf, type Claims } from './claims.ts';
import { TOKEN_RULES, tokenError, TokenVerifier } from './token-verifier.ts';

const STRATEGY = 'people';

export const noToken = (): CodedError =>
  new CodedError('UNAUTHENTICATED', 'Send "Authorization: Bearer <token>"; POST /user/login gives a token.');

/**
 * Checks the bearer tokens of people's HTTP requests with passport-jwt. Passport's usual registry is one for the whole process;
 * this one belongs to its application, whose verifier it asks.
 */
@Injectable()
export class PeoplePassport {
  private readonly passport = new passport.Passport();

  constructor(@Inject(TokenVerifier) verifier: TokenVerifier) {
    this.passport.use(STRATEGY, strategyWith(verifier));
  }

  /** Who is calling. Rejects with `UNAUTHENTICATED`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, or `UNAVAILABLE` without any keys. */
  authenticate(request: Request, response: Response): Promise<UserPrincipal> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, claims: Claims | false, challenge: unknown): void => {
        if (error) reject(error);
        else if (claims) resolve(principalOf(claims));
        else reject(refusalOf(request, challenge));
      };
      const check = this.passport.authenticate(STRATEGY, { session: false }, settle) as RequestHandler;
      void check(request, response, reject);
    });
  }
}

const tokenOf = ExtractJwt.fromAuthHeaderAsBearerToken();

/** passport-jwt refuses a request without a token with words alone. */
const refusalOf = (request: Request, challenge: unknown): Error =>
  tokenOf(request) === null ? noToken() : tokenError(challenge);

const strategyWith = (verifier: TokenVerifier): Strategy =>
  new Strategy(
    {
      ...TOKEN_RULES,
      jwtFromRequest: tokenOf,
      secretOrKeyProvider: (_request: Request, token: string, done) => {
        verifier.keyOf(token).then((key) => {
          done(null, asSecretOrKey(key));
        }, done);
      },
    },
    (payload: unknown, done: VerifiedCallback) => {
      done(null, verifier.accept(payload));
    },
  );

/** jsonwebtoken takes a key as it is, without parsing it for every request; the types of passport-jwt know only its text. */
const asSecretOrKey = (key: KeyObject): Buffer => key as unknown as Buffer;
