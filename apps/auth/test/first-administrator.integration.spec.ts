import { describe, expect, test } from '@jest/globals';
import { describeWith, freshMysqlDatabase, tempDir } from '#testing';
import { FirstAdministrator } from '../src/first-administrator/first-administrator.ts';
import { ADMIN, startAuth, type StartedAuth } from './started-auth.ts';

const ensured = (auth: StartedAuth) => auth.app.get(FirstAdministrator, { strict: false }).ensure();

function administratorSuite(newDatabaseUrl: () => Promise<string>): void {
  const generated = { FIRST_ADMIN: 'generate', ADMIN_EMAIL: undefined, ADMIN_PASSWORD: undefined };

  test('keeps the password that a configured administrator chose', async () => {
    const databaseUrl = await newDatabaseUrl();
    const first = await startAuth({ databaseUrl });
    const { token } = await first.logIn(ADMIN);
    const body = { currentPassword: ADMIN.password, newPassword: 'my own choice' };
    expect((await first.call('POST /user/password', { token, body })).status).toBe(204);
    await first.stop();
    const again = await startAuth({ databaseUrl });
    expect((await again.call('POST /user/login', { body: ADMIN })).status).toBe(401);
    expect(await again.logIn({ ...ADMIN, password: 'my own choice' })).toBeDefined();
    await again.stop();
  });

  test('is made with a password of its own when asked for, and told once', async () => {
    const databaseUrl = await newDatabaseUrl();
    const first = await startAuth({ databaseUrl, config: generated });
    const credentials = await ensured(first);
    expect(credentials).toEqual({ email: 'admin@fieldline.local', password: expect.stringMatching(/^.{16}$/) });
    const { token } = await first.logIn(credentials ?? ADMIN);
    expect((await first.call('GET /user/me', { token })).body).toMatchObject({ role: 'admin' });
    await first.stop();
    const again = await startAuth({ databaseUrl, config: generated });
    expect(await ensured(again)).toBeUndefined();
    await again.stop();
  });

  test('is not made unless asked for', async () => {
    const auth = await startAuth({
      databaseUrl: await newDatabaseUrl(),
      config: { ...generated, FIRST_ADMIN: 'none' },
    });
    expect(await ensured(auth)).toBeUndefined();
    expect((await auth.call('POST /user/login', { body: ADMIN })).status).toBe(401);
    await auth.stop();
  });

  test('needs both an email and a password', async () => {
    const start = startAuth({ databaseUrl: await newDatabaseUrl(), config: { ADMIN_PASSWORD: undefined } });
    await expect(start).rejects.toThrow('ADMIN_PASSWORD: is needed with ADMIN_EMAIL');
  });

  test('a database whose keys another SECRET_KEY encrypted stops the start with the way out', async () => {
    const databaseUrl = await newDatabaseUrl();
    await (await startAuth({ databaseUrl })).stop();
    const start = startAuth({ databaseUrl, config: { SECRET_KEY: 'another secret key, also long enough' } });
    await expect(start).rejects.toThrow(/SECRET_KEY: does not open the signing keys .* delete all rows/);
  });
}

describe('the first administrator, on SQLite', () => {
  administratorSuite(async () => `file:${(await tempDir()).path}/auth.db`);
});

describeWith(['mysql'], 'the first administrator, on MySQL', () => {
  administratorSuite(async () => (await freshMysqlDatabase()).url);
});
