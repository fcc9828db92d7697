import { CodedError } from '#contracts';
import { z } from 'zod';
import { HttpFailure, ask, at, bearer, jsonPost } from '../http.ts';
import type { GetToken } from '../link/credentials.ts';

const Someone = z.object({ email: z.string() });
const LoggedIn = z.object({ token: z.string() });

/** Where the token of a person is kept. */
export interface TokenStore {
  load(): Promise<string | undefined>;
  save(token: string): Promise<void>;
}

/** A person whose token is kept from one run to the next. */
export interface KeptLoginOptions {
  url: string;
  email: string;
  password: string;
  store: TokenStore;
  /** The token of this run is the kept one, or one by a login. */
  onToken?: (by: 'kept' | 'login') => void;
}

/**
 * The token that is kept, once `GET /user/me` has said that it is good; else, or when it is refused, one by `POST /user/login`, which
 * is kept before it is used.
 *
 * @throws {CodedError} `BAD_CREDENTIALS` for a wrong email or password, `TOO_MANY_ATTEMPTS` after too many of them.
 */
export function keptLogin({ url, email, password, store, onToken }: KeptLoginOptions): GetToken {
  let checked: string | undefined;
  const kept = async (): Promise<string | undefined> => {
    const token = await store.load();
    return token !== undefined && (await isGood(url, token)) ? token : undefined;
  };
  const login = async (): Promise<string> => {
    const { token } = await ask(LoggedIn, at(url, '/user/login'), jsonPost({ email, password }));
    await store.save(token);
    onToken?.('login');
    return token;
  };
  return async (refused) => {
    if (checked !== undefined && checked !== refused) return checked;
    const token = checked === undefined ? await kept() : undefined;
    if (token !== undefined && token !== refused) onToken?.('kept');
    checked = token === undefined || token === refused ? await login() : token;
    return checked;
  };
}

async function isGood(url: string, token: string): Promise<boolean> {
  try {
    await ask(Someone, at(url, '/user/me'), { headers: bearer(token) });
    return true;
  } catch (error) {
    if (isUnauthenticated(error)) return false;
    throw error;
  }
}

/** Is it the token that is refused? */
export const isUnauthenticated = (error: unknown): boolean =>
  error instanceof HttpFailure ? error.status === 401 : CodedError.from(error)?.status === 401;
