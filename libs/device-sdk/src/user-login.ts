import { CodedError } from '#contracts';
import { z } from 'zod';
import { ask, at, jsonPost } from './http.ts';
import type { GetToken } from './link/credentials.ts';

const TokenPair = z.object({ accessToken: z.string(), refreshToken: z.string() });
type TokenPair = z.output<typeof TokenPair>;

/** A person whose own gateway the readings go to. */
export interface UserLogin {
  url: string;
  email: string;
  password: string;
}

/**
 * Tokens of a person: logs in by `POST /user/login` and renews by `POST /user/token`, whose refresh tokens are good for one
 * use (RFC 9700 section 4.14.2). When a refresh token is refused, for instance because the reply to its use was lost, it logs in anew.
 *
 * @throws {CodedError} `BAD_CREDENTIALS` for a wrong email or password, `TOO_MANY_ATTEMPTS` after too many of them.
 */
export function userLogin({ url, email, password }: UserLogin): GetToken {
  let pair: TokenPair | undefined;
  let renewing: Promise<TokenPair> | undefined;

  const login = () => ask(TokenPair, at(url, '/user/login'), jsonPost({ email, password }));
  const renew = async (refreshToken: string): Promise<TokenPair> => {
    try {
      return await ask(TokenPair, at(url, '/user/token'), jsonPost({ refreshToken }));
    } catch (error) {
      if (CodedError.from(error)?.status === 401) return login();
      throw error;
    }
  };
  const next = async (): Promise<TokenPair> => {
    pair = await (pair ? renew(pair.refreshToken) : login());
    return pair;
  };

  return async (refused) => {
    if (pair && pair.accessToken !== refused) return pair.accessToken;
    renewing ??= next().finally(() => {
      renewing = undefined;
    });
    return (await renewing).accessToken;
  };
}
