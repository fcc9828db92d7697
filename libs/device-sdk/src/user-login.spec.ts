import { type Server, createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { userLogin } from './user-login.ts';

describe('the login of a person', () => {
  let server: Server;
  let url: string;
  let requests: string[];
  let answer: (path: string) => { status: number; body: object };
  let pairs = 0;

  const pair = () => {
    pairs += 1;
    return {
      status: 200,
      body: {
        token: `t${pairs}`,
        accessToken: `t${pairs}`,
        tokenType: 'Bearer',
        expiresIn: 900,
        refreshToken: `r${pairs}`,
      },
    };
  };

  beforeEach(async () => {
    requests = [];
    pairs = 0;
    answer = pair;
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        requests.push(`${request.method} ${request.url} ${body}`);
        const { status, body: reply } = answer(request.url ?? '');
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  });

  afterEach(() => {
    server.close();
  });

  it('logs in once and keeps the token', async () => {
    const getToken = userLogin({ url, email: 'a@example.com', password: 'secret' });
    expect([await getToken(), await getToken()]).toEqual(['t1', 't1']);
    expect(requests).toEqual(['POST /user/login {"email":"a@example.com","password":"secret"}']);
  });

  it('renews a refused token once, however many ask, with the newest refresh token', async () => {
    const getToken = userLogin({ url, email: 'a@example.com', password: 'secret' });
    await getToken();
    expect(await Promise.all([getToken('t1'), getToken('t1')])).toEqual(['t2', 't2']);
    await getToken('t2');
    expect(requests.slice(1)).toEqual([
      'POST /user/token {"refreshToken":"r1"}',
      'POST /user/token {"refreshToken":"r2"}',
    ]);
  });

  it('logs in anew when the refresh token is refused', async () => {
    const getToken = userLogin({ url, email: 'a@example.com', password: 'secret' });
    await getToken();
    answer = (path) =>
      path === '/user/token' ? { status: 401, body: { code: 'REFRESH_REUSED', detail: 'Used before.' } } : pair();
    expect(await getToken('t1')).toBe('t2');
    expect(requests).toHaveLength(3);
  });

  it('tells a wrong password by its code', async () => {
    answer = () => ({ status: 401, body: { code: 'BAD_CREDENTIALS', detail: 'The email or the password is wrong.' } });
    const getToken = userLogin({ url, email: 'a@example.com', password: 'wrong' });
    await expect(getToken()).rejects.toMatchObject({
      code: 'BAD_CREDENTIALS',
      message: 'The email or the password is wrong.',
    });
  });

  it('does not take a platform that fails for one that refuses', async () => {
    const getToken = userLogin({ url, email: 'a@example.com', password: 'secret' });
    await getToken();
    answer = () => ({ status: 503, body: { code: 'UNAVAILABLE', detail: 'Later.' } });
    await expect(getToken('t1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    answer = pair;
    expect(await getToken('t1')).toBe('t2');
  });
});
