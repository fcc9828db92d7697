import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Jwks } from '#contracts';
import { describeWith, freshMysqlDatabase, freshNats, startNats, waitUntil, type OwnServer } from '#testing';
import { ADMIN, startAuth, type StartedAuth } from './started-auth.ts';
import { statusCounts } from './status-counts.ts';

const newEmail = (): string => `${randomUUID()}@example.com`;
const status = async (auth: StartedAuth, token: string) => (await auth.call('GET /user/me', { token })).status;

describeWith(['mysql', 'nats'], 'three replicas that start at once on an empty database', () => {
  let place: { databaseUrl: string; natsUrl: string };
  let replicas: StartedAuth[];
  const replica = (index: number): StartedAuth => replicas[index % 3] as StartedAuth;

  beforeAll(async () => {
    const [database, nats] = await Promise.all([freshMysqlDatabase(), freshNats()]);
    place = { databaseUrl: database.url, natsUrl: nats.url };
    replicas = await Promise.all([1, 2, 3].map(() => startAuth({ ...place, config: { LOGIN_ATTEMPTS: '5' } })));
  });
  afterAll(() => Promise.all(replicas.map(({ stop }) => stop())));

  test('have one administrator and one signing key', async () => {
    const { token } = await replica(0).logIn(ADMIN);
    expect((await replica(1).call('GET /api/users?role=admin', { token })).body).toMatchObject({ items: [{}] });
    const published = await Promise.all(
      replicas.map(async ({ call }) => Jwks.parse((await call('GET /.well-known/jwks.json')).body)),
    );
    expect(published[0]?.keys).toHaveLength(1);
    expect(published).toEqual(Array(3).fill(published[0]));
  });

  test('feel a logout everywhere within a second', async () => {
    const { tokens } = await replica(0).newPerson(newEmail());
    expect(await status(replica(1), tokens.token)).toBe(200);
    await replica(0).call('POST /user/logout', { token: tokens.token });
    for (const each of replicas) {
      await waitUntil(async () => (await status(each, tokens.token)) === 401, {
        what: 'the token is refused',
        timeoutMs: 1_000,
      });
    }
  });

  test('feel a disabled account and a new password everywhere within a second', async () => {
    const { token: admin } = await replica(0).logIn(ADMIN);
    const person = await replica(0).newPerson(newEmail());
    const elsewhere = await replica(1).logIn(person);
    const body = { currentPassword: person.password, newPassword: 'battery staple' };
    await replica(0).call('POST /user/password', { token: person.tokens.token, body });
    await waitUntil(async () => (await status(replica(1), elsewhere.token)) === 401, {
      what: 'the other login has ended',
      timeoutMs: 1_000,
    });
    expect(await status(replica(1), person.tokens.token)).toBe(200);
    await replica(0).call(`PATCH /api/users/${person.id}`, { token: admin, body: { disabled: true } });
    await waitUntil(async () => (await status(replica(1), person.tokens.token)) === 401, {
      what: 'the account is disabled',
      timeoutMs: 1_000,
    });
  });

  test('give exactly one pair for one refresh token that is used on all of them at once', async () => {
    const { tokens } = await replica(0).newPerson(newEmail());
    const body = { refreshToken: tokens.refreshToken };
    const replies = await Promise.all(
      Array.from({ length: 51 }, (_, index) => replica(index).call('POST /user/token', { body })),
    );
    expect(statusCounts(replies)).toEqual({ 200: 1, 401: 50 });
  });

  test('count failed logins together', async () => {
    const { email } = await replica(0).newPerson(newEmail());
    const body = { email, password: 'wrong password' };
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        replica(index).call('POST /user/login', { body, from: `198.51.100.${String(index)}` }),
      ),
    );
    expect(statusCounts(replies)).toEqual({ 401: 5, 429: 25 });
  });

  test('tell one that starts later what was revoked before', async () => {
    const { tokens } = await replica(0).newPerson(newEmail());
    await replica(0).call('POST /user/logout', { token: tokens.token });
    const later = await startAuth(place);
    await waitUntil(async () => (await status(later, tokens.token)) === 401, { what: 'the token is refused' });
    await later.stop();
  });
});

describeWith(['mysql', 'own-nats'], 'two replicas that lose NATS', () => {
  let nats: OwnServer;
  let replicas: StartedAuth[];
  const replica = (index: number): StartedAuth => replicas[index] as StartedAuth;

  beforeAll(async () => {
    nats = await startNats();
    const { url: databaseUrl } = await freshMysqlDatabase();
    replicas = await Promise.all([1, 2].map(() => startAuth({ databaseUrl, natsUrl: nats.url })));
  });
  afterAll(async () => {
    await Promise.all(replicas.map(({ stop }) => stop()));
    await nats.stop();
  });

  test('end logins meanwhile, and both know once it is back', async () => {
    const { tokens } = await replica(0).newPerson(newEmail());
    for (const each of replicas) expect(await status(each, tokens.token)).toBe(200);
    await nats.kill();
    expect((await replica(0).call('POST /user/logout', { token: tokens.token })).status).toBe(204);
    expect(await status(replica(0), tokens.token)).toBe(401);
    await nats.restart();
    await waitUntil(async () => (await status(replica(1), tokens.token)) === 401, { what: 'the token is refused' });
  });
});
