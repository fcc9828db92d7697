import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeWays, type Given, failure, problem } from '../../test/fake-ways.ts';
import { isFinal } from '../refusal.ts';
import { keptLogin } from './kept-login.ts';

describe('the kept login of a person', () => {
  let platform: FakeWays;

  beforeEach(async () => {
    platform = await new FakeWays().start();
  });
  afterEach(() => platform.stop());

  const person = { email: 'ada@example.com', password: 'p' };
  const createStore = (token?: string) => {
    const store = {
      token,
      load: () => Promise.resolve(store.token),
      save: (next: string) => {
        store.token = next;
        return Promise.resolve();
      },
    };
    return store;
  };
  const me: Given = { status: 200, body: { email: 'ada@example.com' } };
  const login = (token: string): Given => ({ status: 200, body: { token } });

  it('uses the kept token when it is good', async () => {
    const store = createStore('kept');
    platform.inTurn(me);
    const by: string[] = [];
    const getToken = keptLogin({ url: platform.url, ...person, store, onToken: (how) => by.push(how) });
    expect([await getToken(), await getToken()]).toEqual(['kept', 'kept']);
    expect([platform.lines, by]).toEqual([['GET /user/me'], ['kept']]);
    expect(platform.asked[0]?.headers.authorization).toBe('Bearer kept');
  });

  it('logs in when the kept token is refused, and keeps the new one', async () => {
    const store = createStore('old');
    platform.inTurn(problem(401, 'TOKEN_EXPIRED', 'Expired.'), login('new'), login('newer'));
    const getToken = keptLogin({ url: platform.url, ...person, store });
    expect(await getToken()).toBe('new');
    expect(store.token).toBe('new');
    expect(await getToken('new')).toBe('newer');
    expect(platform.lines).toEqual(['GET /user/me', 'POST /user/login', 'POST /user/login']);
  });

  it('logs in when there is none', async () => {
    const store = createStore();
    platform.inTurn(login('new'));
    expect(await keptLogin({ url: platform.url, ...person, store })()).toBe('new');
    expect(store.token).toBe('new');
  });

  it('does not take a failing platform for one that refuses', async () => {
    const store = createStore('kept');
    platform.inTurn({ status: 503 }, me);
    const getToken = keptLogin({ url: platform.url, ...person, store });
    expect(isFinal(await failure(getToken()))).toBe(false);
    expect(await getToken()).toBe('kept');
  });

  it('tells a wrong password', async () => {
    platform.inTurn(problem(401, 'BAD_CREDENTIALS', 'Wrong email or password.'));
    const error = await failure(keptLogin({ url: platform.url, ...person, store: createStore() })());
    expect([error.message, isFinal(error)]).toEqual(['Wrong email or password.', true]);
  });
});
