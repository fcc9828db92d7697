import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { describeWith, freshMysqlDatabase, startMysql, waitUntil } from '#testing';
import { startAuth } from './started-auth.ts';

describeWith(['own-mysql'], 'auth while MySQL is away', () => {
  test('answers 503 with the time to try again, keeps its keys published, and recovers by itself', async () => {
    const mysql = await startMysql();
    const { url: databaseUrl } = await freshMysqlDatabase(mysql.url);
    const auth = await startAuth({ databaseUrl });
    const { email, password, tokens } = await auth.newPerson(`${randomUUID()}@example.com`);
    await mysql.kill();

    const body = { email, password };
    for (const request of [
      auth.call('POST /user/login', { body }),
      auth.call('POST /user/token', { body: { refreshToken: tokens.refreshToken } }),
      auth.call('GET /user/me', { token: tokens.token }),
    ]) {
      const reply = await request;
      expect(reply).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', retryAfterMs: 2_000 } });
      expect(reply.headers.get('retry-after')).toBe('2');
    }
    expect((await auth.call('GET /.well-known/jwks.json')).status).toBe(200);
    expect((await auth.call('GET /health/ready')).status).toBe(503);
    expect((await auth.call('GET /health/live')).status).toBe(200);

    await mysql.restart();
    await waitUntil(async () => (await auth.call('POST /user/login', { body })).status === 200, {
      what: 'a login works',
    });
    await auth.stop();
    await mysql.stop();
  });
});
