import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { TokenPair } from '../src/sessions/token-pair.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { statusCounts } from './status-counts.ts';
import type { StartedAuth } from './started-auth.ts';

const newEmail = (): string => `${randomUUID()}@example.com`;
const problem = (code: string): unknown => expect.objectContaining({ code });

onEveryDatabase(
  'signing up and logging in',
  (auth) => {
    test('answers with exactly the new user, then with exactly a pair of tokens', async () => {
      const person = { email: newEmail(), password: 'correct horse' };
      const signedUp = await auth().call('POST /user/signup', { body: { name: 'Ada', ...person } });
      expect(signedUp).toMatchObject({ status: 201 });
      expect(signedUp.body).toEqual({ id: expect.any(String), name: 'Ada', email: person.email, role: 'user' });
      const loggedIn = await auth().call('POST /user/login', { body: person });
      expect(loggedIn.status).toBe(200);
      expect(loggedIn.headers.get('cache-control')).toBe('no-store');
      const { token, ...rest } = TokenPair.parse(loggedIn.body);
      expect(rest).toEqual({
        accessToken: token,
        tokenType: 'Bearer',
        expiresIn: 900,
        refreshToken: expect.any(String),
      });
    });

    test('knows an email in any case and with spaces around it', async () => {
      const person = await auth().newPerson(`  ${newEmail().toUpperCase()} `);
      expect(await auth().logIn({ ...person, email: person.email.trim().toLowerCase() })).toBeDefined();
      const again = { name: 'Twice', email: person.email.trim().toLowerCase(), password: 'another one' };
      expect(await auth().call('POST /user/signup', { body: again })).toMatchObject({
        status: 409,
        body: problem('EMAIL_TAKEN'),
      });
    });

    test('gives fifty people who want the same email at once one account and 49 refusals', async () => {
      const body = { name: 'Crowd', email: newEmail(), password: 'correct horse' };
      const replies = await Promise.all(Array.from({ length: 50 }, () => auth().call('POST /user/signup', { body })));
      expect(statusCounts(replies)).toEqual({ 201: 1, 409: 49 });
    });

    test('lets fifty logins of one account in at once', async () => {
      const { email, password } = await auth().newPerson(`${randomUUID()}@example.com`);
      const body = { email, password };
      const replies = await Promise.all(Array.from({ length: 50 }, () => auth().call('POST /user/login', { body })));
      expect(statusCounts(replies)).toEqual({ 200: 50 });
    });

    test('gives a wrong password and an unknown email the same answer', async () => {
      const person = await auth().newPerson(newEmail());
      const wrong = await auth().call('POST /user/login', { body: { email: person.email, password: 'wrong' } });
      const unknown = await auth().call('POST /user/login', { body: { email: newEmail(), password: 'wrong' } });
      expect(wrong).toMatchObject({ status: 401, body: problem('BAD_CREDENTIALS') });
      expect(unknown.body).toEqual(wrong.body);
    });

    test.each([`' OR '1'='1`, `admin@example.com'; drop table users; --`, `admin@example.com'/*`, '%', '\\', '\u0000'])(
      'takes %j for an email that nobody has',
      async (injected) => {
        const reply = await auth().call('POST /user/login', { body: { email: injected, password: `' OR 1=1 --` } });
        expect(reply).toMatchObject({ status: 401, body: problem('BAD_CREDENTIALS') });
      },
    );

    test('keeps a name as it was given, whatever is in it', async () => {
      const name = `Robert'); DROP TABLE users;-- "\\" 🐛 ${'é'.repeat(20)}`;
      const person = { email: newEmail(), password: 'correct horse' };
      await auth().call('POST /user/signup', { body: { name, ...person } });
      const { token } = await auth().logIn(person);
      expect((await auth().call('GET /user/me', { token })).body).toMatchObject({ name });
    });

    test('refuses what is not valid with every path', async () => {
      const reply = await auth().call('POST /user/signup', {
        body: { name: ' ', email: 'nobody', password: 'short', role: 'admin' },
      });
      expect(reply).toMatchObject({ status: 422, body: problem('INVALID_INPUT') });
      expect(reply.body).toMatchObject({
        errors: expect.arrayContaining(
          ['/name', '/email', '/password', '/role'].map((path) => expect.objectContaining({ path })),
        ),
      });
    });

    test.each([
      ['a password of 1,025 characters', { name: 'x', email: 'x@example.com', password: 'x'.repeat(1025) }],
      ['a name of 201 characters', { name: 'x'.repeat(201), email: 'x@example.com', password: 'correct horse' }],
      ['a control character in a name', { name: 'x\u0000y', email: 'x@example.com', password: 'correct horse' }],
      ['numbers for texts', { name: 1, email: 2, password: 3 }],
      ['an operator for an email', { name: 'x', email: { $ne: null }, password: 'correct horse' }],
      ['an array', []],
      ['null', 'null'],
    ])('refuses %s', async (_what, body) => {
      expect((await auth().call('POST /user/signup', { body })).status).toBe(422);
    });

    test('takes a password of 1,024 characters', async () => {
      const person = { email: newEmail(), password: '\u{1f511}x'.repeat(341) + 'x' };
      expect(person.password).toHaveLength(1024);
      expect((await auth().call('POST /user/signup', { body: { name: 'Long', ...person } })).status).toBe(201);
      expect((await auth().call('POST /user/login', { body: person })).status).toBe(200);
    });

    test('tells broken JSON, another media type and too large a body apart', async () => {
      const broken = await auth().call('POST /user/login', { body: '{"email": ' });
      const form = await auth().call('POST /user/login', { body: 'a=b', headers: { 'Content-Type': 'text/plain' } });
      const huge = await auth().call('POST /user/login', { body: { email: 'x'.repeat(1_100_000) } });
      expect([broken, form, huge].map(({ status }) => status)).toEqual([400, 415, 413]);
      expect([broken, form, huge].map(({ body }) => body)).toEqual(
        ['MALFORMED_JSON', 'UNSUPPORTED_MEDIA_TYPE', 'BODY_TOO_LARGE'].map(problem),
      );
    });

    test('shows and changes the own profile', async () => {
      const { id, tokens } = await auth().newPerson(newEmail());
      const renamed = await auth().call('PATCH /user/me', { token: tokens.token, body: { name: ' Grace ' } });
      expect(renamed).toMatchObject({ status: 200, body: { id, name: 'Grace', version: 2 } });
      expect((await auth().call('GET /user/me', { token: tokens.token })).body).toEqual(renamed.body);
      const promoted = await auth().call('PATCH /user/me', { token: tokens.token, body: { role: 'admin' } });
      expect(promoted).toMatchObject({ status: 422, body: { errors: [{ path: '/role' }] } });
    });
  },
  { config: { LOGIN_ATTEMPTS: '1000', SIGNUP_ATTEMPTS: '1000' } },
);

onEveryDatabase('refreshing', (auth) => {
  const refresh = (refreshToken: string, headers?: Record<string, string>) =>
    auth().call('POST /user/token', { body: { refreshToken }, ...(headers ? { headers } : {}) });

  test('gives a new pair and uses the old refresh token up', async () => {
    const { tokens } = await auth().newPerson(newEmail());
    const next = await refresh(tokens.refreshToken);
    expect(next.status).toBe(200);
    const pair = TokenPair.parse(next.body);
    expect(pair.refreshToken).not.toBe(tokens.refreshToken);
    expect((await auth().call('GET /user/me', { token: pair.token })).status).toBe(200);
    expect((await refresh(pair.refreshToken)).status).toBe(200);
  });

  test('ends the whole login when an old token comes again, and names the way out', async () => {
    const person = await auth().newPerson(newEmail());
    const pair = TokenPair.parse((await refresh(person.tokens.refreshToken)).body);
    expect(await refresh(person.tokens.refreshToken)).toMatchObject({
      status: 401,
      body: { code: 'REFRESH_REUSED', detail: expect.stringContaining('log in again') },
    });
    expect(await refresh(pair.refreshToken)).toMatchObject({ status: 401, body: problem('TOKEN_REVOKED') });
    expect(await auth().call('GET /user/me', { token: pair.token })).toMatchObject({
      status: 401,
      body: problem('TOKEN_REVOKED'),
    });
    expect((await auth().call('POST /user/login', { body: bodyOf(person) })).status).toBe(200);
  });

  test('gives exactly one pair when the same token is used fifty times at once', async () => {
    const { tokens } = await auth().newPerson(newEmail());
    const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(tokens.refreshToken)));
    expect(statusCounts(replies)).toEqual({ 200: 1, 401: 49 });
    expect(replies.filter(({ status }) => status === 401).map(({ body }) => body)).toEqual(
      Array(49).fill(problem('REFRESH_REUSED')),
    );
  });

  test('gives the same refresh token again to a client that names its attempt, until that one is used', async () => {
    const { tokens } = await auth().newPerson(newEmail());
    const headers = { 'Idempotency-Key': randomUUID() };
    const replies = await Promise.all(Array.from({ length: 20 }, () => refresh(tokens.refreshToken, headers)));
    expect(statusCounts(replies)).toEqual({ 200: 20 });
    const given = new Set(replies.map(({ body }) => TokenPair.parse(body).refreshToken));
    expect(given.size).toBe(1);
    const [next = ''] = given;
    expect((await refresh(next)).status).toBe(200);
    expect(await refresh(tokens.refreshToken, headers)).toMatchObject({ status: 401, body: problem('REFRESH_REUSED') });
  });

  test('takes another name of the attempt for a reuse', async () => {
    const { tokens } = await auth().newPerson(newEmail());
    await refresh(tokens.refreshToken, { 'Idempotency-Key': randomUUID() });
    const other = await refresh(tokens.refreshToken, { 'Idempotency-Key': randomUUID() });
    expect(other).toMatchObject({ status: 401, body: problem('REFRESH_REUSED') });
    const short = await refresh(tokens.refreshToken, { 'Idempotency-Key': 'guess' });
    expect(short).toMatchObject({ status: 422, body: { errors: [{ path: '/Idempotency-Key' }] } });
  });

  test('refuses a token that is not ours', async () => {
    expect(await refresh(randomUUID())).toMatchObject({ status: 401, body: problem('UNAUTHENTICATED') });
    expect((await refresh('x'.repeat(513))).status).toBe(422);
  });
});

onEveryDatabase('ending logins', (auth) => {
  const me = async (token: string) => (await auth().call('GET /user/me', { token })).status;

  test('a logout ends this login at once, and no other', async () => {
    const person = await auth().newPerson(newEmail());
    const other = await auth().logIn(person);
    expect((await auth().call('POST /user/logout', { token: person.tokens.token })).status).toBe(204);
    expect(await auth().call('GET /user/me', { token: person.tokens.token })).toMatchObject({
      status: 401,
      body: problem('TOKEN_REVOKED'),
    });
    const refreshed = await auth().call('POST /user/token', { body: { refreshToken: person.tokens.refreshToken } });
    expect(refreshed).toMatchObject({ status: 401, body: problem('TOKEN_REVOKED') });
    expect(await me(other.token)).toBe(200);
  });

  test('a new password ends the other logins', async () => {
    const person = await auth().newPerson(newEmail());
    const other = await auth().logIn(person);
    const changed = await changePassword(auth(), person.tokens.token, person.password, 'battery staple');
    expect(changed.status).toBe(204);
    expect(await me(person.tokens.token)).toBe(200);
    expect(await me(other.token)).toBe(401);
    expect((await auth().call('POST /user/login', { body: bodyOf(person) })).status).toBe(401);
    expect(await auth().logIn({ ...person, password: 'battery staple' })).toBeDefined();
  });

  test('a wrong current password changes nothing', async () => {
    const person = await auth().newPerson(newEmail());
    expect(await changePassword(auth(), person.tokens.token, 'wrong', 'battery staple')).toMatchObject({
      status: 401,
      body: problem('BAD_CREDENTIALS'),
    });
    expect(await auth().logIn(person)).toBeDefined();
  });

  test('of two new passwords at once one is taken', async () => {
    const person = await auth().newPerson(newEmail());
    const replies = await Promise.all(
      ['first of two', 'second of two'].map((next) =>
        changePassword(auth(), person.tokens.token, person.password, next),
      ),
    );
    expect(statusCounts(replies)).toEqual({ 204: 1, 401: 1 });
  });
});

const bodyOf = ({ email, password }: { email: string; password: string }) => ({ email, password });

const changePassword = (auth: StartedAuth, token: string, currentPassword: string, newPassword: string) =>
  auth.call('POST /user/password', { token, body: { currentPassword, newPassword } });
