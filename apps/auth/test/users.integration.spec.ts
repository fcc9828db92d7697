import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { pageOf, type Role, type UserPrincipal } from '#contracts';
import { toCoded } from '#platform';
import { UserChanges } from '../src/users/user-changes.ts';
import { UserView } from '../src/users/user-view.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { ADMIN, CUSTOMERS, FORGOTTEN, UNFORGETTABLE, type NewPerson, type StartedAuth } from './started-auth.ts';
import { statusCounts } from './status-counts.ts';

const [OURS, THEIRS] = CUSTOMERS;
const problem = (code: string): unknown => expect.objectContaining({ code });
const UserPage = pageOf(UserView);

/** Somebody with a role and a customer, logged in after they got them. */
async function personWith(
  auth: StartedAuth,
  adminToken: string,
  role: Role,
  customer: string | null,
): Promise<NewPerson> {
  const person = await auth.newPerson(`${randomUUID()}@example.com`);
  const changed = await auth.call(`PATCH /api/users/${person.id}`, { token: adminToken, body: { role, customer } });
  expect(changed.status).toBe(200);
  return { ...person, tokens: await auth.logIn(person) };
}

onEveryDatabase('managing users', (auth) => {
  let admin: string;
  let operator: NewPerson;
  let ours: NewPerson;
  let theirs: NewPerson;

  beforeAll(async () => {
    admin = (await auth().logIn(ADMIN)).token;
    operator = await personWith(auth(), admin, 'operator', OURS.number);
    ours = await personWith(auth(), admin, 'user', OURS.id);
    theirs = await personWith(auth(), admin, 'user', THEIRS.id);
  });

  const patch = (id: string, body: unknown, token = admin, headers: Record<string, string> = {}) =>
    auth().call(`PATCH /api/users/${id}`, { token, body, headers });
  const read = async (id: string) => UserView.parse((await auth().call(`GET /api/users/${id}`, { token: admin })).body);
  const list = async (query: string, token = admin) =>
    UserPage.parse((await auth().call(`GET /api/users?${query}`, { token })).body);

  test('is not for people without a token, nor for users', async () => {
    expect(await auth().call('GET /api/users')).toMatchObject({ status: 401, body: problem('UNAUTHENTICATED') });
    const asUser = await auth().call('GET /api/users', { token: ours.tokens.token });
    expect(asUser).toMatchObject({ status: 403, body: problem('FORBIDDEN') });
  });

  test('takes a customer by number, and refuses one that is not there', async () => {
    expect(await read(operator.id)).toMatchObject({ role: 'operator', customerId: OURS.id });
    const unknown = await patch(ours.id, { customer: '9999' });
    expect(unknown).toMatchObject({ status: 422, body: { errors: [{ path: '/customer' }] } });
  });

  test('refuses unknown fields and wrong types with their paths', async () => {
    const reply = await patch(ours.id, { disabled: 'yes', role: 'root', password: 'x' });
    expect(reply.status).toBe(422);
    expect(reply.body).toMatchObject({
      errors: expect.arrayContaining(
        ['/disabled', '/role', '/password'].map((path) => expect.objectContaining({ path })),
      ),
    });
    expect((await patch('not-an-id', {})).status).toBe(422);
    expect(await patch(randomUUID(), {})).toMatchObject({ status: 404, body: problem('NOT_FOUND') });
  });

  describe('an operator', () => {
    test('sees the users and operators of their customer alone', async () => {
      const adminOfOurs = await personWith(auth(), admin, 'admin', OURS.id);
      const { items } = await list('limit=1000', operator.tokens.token);
      expect(new Set(items.map(({ id }) => id))).toEqual(new Set([operator.id, ours.id]));
      expect((await list(`customer=${THEIRS.number}`, operator.tokens.token)).items).toEqual([]);
      for (const { id } of [theirs, adminOfOurs]) {
        const reply = await auth().call(`GET /api/users/${id}`, { token: operator.tokens.token });
        expect(reply).toMatchObject({ status: 404, body: problem('NOT_FOUND') });
        expect((await patch(id, { name: 'Mine' }, operator.tokens.token)).status).toBe(404);
        expect((await auth().call(`DELETE /api/users/${id}`, { token: operator.tokens.token })).status).toBe(404);
      }
      await auth().call(`DELETE /api/users/${adminOfOurs.id}`, { token: admin });
    });

    test('changes name, role and disabled, but makes no administrator and moves nobody', async () => {
      const colleague = await personWith(auth(), admin, 'user', OURS.id);
      const changed = await patch(colleague.id, { name: 'Colleague', role: 'operator' }, operator.tokens.token);
      expect(changed).toMatchObject({ status: 200, body: { name: 'Colleague', role: 'operator' } });
      for (const body of [{ role: 'admin' }, { customer: THEIRS.id }, { customer: null }]) {
        expect(await patch(colleague.id, body, operator.tokens.token)).toMatchObject({
          status: 403,
          body: problem('FORBIDDEN'),
        });
      }
      expect((await patch(colleague.id, { disabled: true }, operator.tokens.token)).status).toBe(200);
      const deleted = await auth().call(`DELETE /api/users/${colleague.id}`, { token: operator.tokens.token });
      expect(deleted.status).toBe(204);
    });
  });

  test('a change of role stops old access tokens, and a refresh gives the new rights', async () => {
    const person = await personWith(auth(), admin, 'operator', OURS.id);
    expect((await auth().call('GET /api/users', { token: person.tokens.token })).status).toBe(200);
    await patch(person.id, { role: 'user' });
    expect(await auth().call('GET /user/me', { token: person.tokens.token })).toMatchObject({
      status: 401,
      body: problem('TOKEN_REVOKED'),
    });
    const refreshed = await auth().call('POST /user/token', { body: { refreshToken: person.tokens.refreshToken } });
    expect(refreshed).toMatchObject({ status: 200, body: { token: expect.any(String) } });
    const { token } = refreshed.body as { token: string };
    expect((await auth().call('GET /user/me', { token })).body).toMatchObject({ role: 'user' });
    expect((await auth().call('GET /api/users', { token })).status).toBe(403);
  });

  test('somebody disabled is logged out and stays out until enabled', async () => {
    const person = await personWith(auth(), admin, 'user', null);
    await patch(person.id, { disabled: true });
    expect((await auth().call('GET /user/me', { token: person.tokens.token })).status).toBe(401);
    const refreshed = await auth().call('POST /user/token', { body: { refreshToken: person.tokens.refreshToken } });
    expect(refreshed).toMatchObject({ status: 401, body: problem('TOKEN_REVOKED') });
    const credentials = { email: person.email, password: person.password };
    expect(await auth().call('POST /user/login', { body: credentials })).toMatchObject({
      status: 403,
      body: problem('FORBIDDEN'),
    });
    await patch(person.id, { disabled: false });
    expect((await auth().call('POST /user/login', { body: credentials })).status).toBe(200);
  });

  test('somebody deleted is gone, their tokens with them, and their email is free', async () => {
    const person = await personWith(auth(), admin, 'user', null);
    expect((await auth().call(`DELETE /api/users/${person.id}`, { token: admin })).status).toBe(204);
    expect((await auth().call('GET /user/me', { token: person.tokens.token })).status).toBe(401);
    const refreshed = await auth().call('POST /user/token', { body: { refreshToken: person.tokens.refreshToken } });
    expect(refreshed.status).toBe(401);
    expect((await auth().call(`DELETE /api/users/${person.id}`, { token: admin })).status).toBe(404);
    await auth().newPerson(person.email);
  });

  test('before somebody goes the registry lets go of their devices; while it cannot, they stay', async () => {
    const person = await personWith(auth(), admin, 'user', null);
    const remove = (headers: Record<string, string> = {}) =>
      auth().call(`DELETE /api/users/${person.id}`, { token: admin, headers });
    expect((await remove({ 'If-Match': '"99"' })).status).toBe(412);
    expect(FORGOTTEN).not.toContain(person.id);
    UNFORGETTABLE.add(person.id);
    const refused = await remove();
    expect(refused).toMatchObject({ status: 503, body: problem('UNAVAILABLE') });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await auth().call('GET /user/me', { token: person.tokens.token })).status).toBe(200);
    UNFORGETTABLE.delete(person.id);
    expect((await remove()).status).toBe(204);
    expect(FORGOTTEN.filter((id) => id === person.id)).toHaveLength(1);
  });

  test('another service finds a user by id, or by email in any case, and nobody by another one', async () => {
    const { id, email } = await personWith(auth(), admin, 'user', OURS.id);
    const find = (text: string) => auth().rpc.call('auth.users.find', { email: text });
    const found = { id, name: 'Somebody', customerId: OURS.id };
    expect([await find(email), await find(` ${email.toUpperCase()} `)]).toEqual([found, found]);
    for (const other of [`x${email}`, '%%%', `' OR '1'='1`]) expect(await find(other)).toBeNull();
    expect(await auth().rpc.call('auth.users.find', { id })).toEqual(found);
    expect(await auth().rpc.call('auth.users.find', { id: OURS.id })).toBeNull();
  });

  test('a change from an outdated version is refused', async () => {
    const person = await personWith(auth(), admin, 'user', null);
    const reply = await auth().call(`GET /api/users/${person.id}`, { token: admin });
    const etag = reply.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"\d+"$/);
    const first = await patch(person.id, { name: 'First' }, admin, { 'If-Match': etag });
    expect(first).toMatchObject({ status: 200 });
    expect(first.headers.get('etag')).not.toBe(etag);
    const second = await patch(person.id, { name: 'Second' }, admin, { 'If-Match': etag });
    expect(second).toMatchObject({ status: 412, body: problem('VERSION_MISMATCH') });
    const deleted = await auth().call(`DELETE /api/users/${person.id}`, {
      token: admin,
      headers: { 'If-Match': etag },
    });
    expect(deleted.status).toBe(412);
    expect(await read(person.id)).toMatchObject({ name: 'First' });
  });

  test('of fifty changes from the same version at once one is taken', async () => {
    const person = await personWith(auth(), admin, 'user', null);
    const { version } = await read(person.id);
    const headers = { 'If-Match': `"${String(version)}"` };
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => patch(person.id, { name: `Name ${String(index)}` }, admin, headers)),
    );
    expect(statusCounts(replies)).toEqual({ 200: 1, 412: 49 });
  });

  describe('a list', () => {
    const names = ['Zoë', 'ada', 'Ada', 'Élodie', '100% Bob', 'Under_score'];

    beforeAll(async () => {
      for (const name of names) {
        const person = await personWith(auth(), admin, 'user', THEIRS.id);
        await patch(person.id, { name });
      }
    });

    test.each(['createdAt', '-createdAt', 'name', '-name', 'email', '-email'])(
      'sorted by %s comes in pages without gaps or repeats',
      async (sort) => {
        const whole = await list(`sort=${sort}&limit=1000`);
        expect(whole.nextCursor).toBeNull();
        const paged: string[] = [];
        let cursor: string | null = '';
        while (cursor !== null) {
          const page = await list(`sort=${sort}&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
          paged.push(...page.items.map(({ id }) => id));
          cursor = page.nextCursor;
        }
        expect(paged).toEqual(whole.items.map(({ id }) => id));
        expect(new Set(paged).size).toBe(paged.length);
      },
    );

    test('is searched by any part of name and email, in any case, and taken literally', async () => {
      const found = async (q: string) =>
        (await list(`q=${encodeURIComponent(q)}&customer=${THEIRS.number}`)).items.map(({ name }) => name).sort();
      expect(await found('ADA')).toEqual(['Ada', 'ada']);
      expect(await found('élod')).toEqual(['Élodie']);
      expect(await found('%')).toEqual(['100% Bob']);
      expect(await found('_')).toEqual(['Under_score']);
      expect(await found(`' or 1=1 --`)).toEqual([]);
      expect((await list(`q=${theirs.email}`)).items.map(({ id }) => id)).toEqual([theirs.id]);
    });

    test('is filtered by role, customer and disabled', async () => {
      await patch(theirs.id, { disabled: true });
      expect((await list('disabled=true&limit=1000')).items.every(({ disabled }) => disabled)).toBe(true);
      expect((await list(`disabled=true&customer=${THEIRS.id}`)).items.map(({ id }) => id)).toEqual([theirs.id]);
      expect((await list(`role=operator&customer=${OURS.number}`)).items.map(({ id }) => id)).toContain(operator.id);
      expect((await list('customer=9999')).items).toEqual([]);
    });

    test.each(['limit=0', 'limit=1001', 'limit=x', 'sort=password', 'cursor=x', 'role=root', 'disabled=1', 'page=2'])(
      'refuses %s',
      async (query) => {
        const reply = await auth().call(`GET /api/users?${query}`, { token: admin });
        const [field = ''] = query.split('=');
        expect(reply).toMatchObject({ status: 422, body: { code: 'INVALID_INPUT', errors: [{ path: `/${field}` }] } });
      },
    );

    test('refuses the cursor of another sort', async () => {
      const { nextCursor } = await list('sort=name&limit=1');
      const reply = await auth().call(`GET /api/users?sort=email&cursor=${nextCursor ?? ''}`, { token: admin });
      expect(reply).toMatchObject({ status: 422, body: { errors: [{ path: '/cursor' }] } });
    });
  });

  describe('the last administrator', () => {
    test('cannot be demoted, disabled or deleted', async () => {
      const { items } = await list('role=admin');
      const [last, ...others] = items;
      expect(others).toEqual([]);
      const id = last?.id ?? '';
      for (const body of [{ role: 'user' }, { disabled: true }]) {
        expect(await patch(id, body)).toMatchObject({ status: 409, body: problem('LAST_ADMIN') });
      }
      const deleted = await auth().call(`DELETE /api/users/${id}`, { token: admin });
      expect(deleted).toMatchObject({ status: 409, body: problem('LAST_ADMIN') });
      expect(FORGOTTEN).not.toContain(id);
    });

    test('remains when ten administrators are removed at once', async () => {
      const makers = Array.from({ length: 9 }, () => personWith(auth(), admin, 'admin', null));
      const people = await Promise.all(makers);
      const { items } = await list('role=admin');
      expect(items).toHaveLength(10);
      const changes = auth().app.get(UserChanges, { strict: false });
      const caller: UserPrincipal = {
        kind: 'user',
        userId: randomUUID(),
        sessionId: randomUUID(),
        role: 'admin',
        customerId: null,
      };
      const removals = await Promise.allSettled(
        items.map(({ id }, index) =>
          index % 2 === 0 ? changes.change(caller, id, { disabled: true }) : changes.remove(caller, id),
        ),
      );
      const refused = removals.filter((removal) => removal.status === 'rejected');
      expect(refused.map(({ reason }) => toCoded(reason).code)).toEqual(['LAST_ADMIN']);
      const replies = await Promise.all(
        [ADMIN, ...people].map(({ email, password }) => auth().call('POST /user/login', { body: { email, password } })),
      );
      expect(statusCounts(replies)[200]).toBe(1);
    });
  });
});
