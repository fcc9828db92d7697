import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { person, startRegistry, USERS_OF, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of customers, over HTTP. */
export function customersSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newCustomer = async (document: object = {}) =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'Acme', ...document } }))
      .body;

  test('are made, read, changed and deleted by an administrator', async () => {
    const made = await registry.call(admin, 'POST /api/customers', {
      body: { number: '4711', name: ' Acme Ltd ', deviceLimit: 3 },
    });
    expect(made.status).toBe(201);
    expect(made.headers.get('etag')).toBe('"1"');
    expect(made.body).toEqual({
      id: expect.any(String),
      number: '4711',
      name: 'Acme Ltd',
      deviceLimit: 3,
      deviceCount: 0,
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
      version: 1,
    });
    const path = `/api/customers/${made.body.id}` as const;
    expect((await registry.call(admin, `GET ${path}`)).body).toEqual(made.body);
    const changed = await registry.call(admin, `PATCH ${path}`, { body: { name: 'Acme AG', deviceLimit: null } });
    expect(changed.body).toMatchObject({ number: '4711', name: 'Acme AG', deviceLimit: null, version: 2 });
    expect((await registry.call(admin, `DELETE ${path}`)).status).toBe(204);
    expect((await registry.call(admin, `GET ${path}`)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect((await registry.call(admin, `DELETE ${path}`)).status).toBe(404);
  });

  test('have a number of their own, also when made or changed at once', async () => {
    const body = { number: 'once', name: 'Acme' };
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => registry.call(admin, 'POST /api/customers', { body })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    const other = await newCustomer();
    const taken = await registry.call(admin, `PATCH /api/customers/${other.id}`, { body: { number: 'once' } });
    expect(taken.body).toMatchObject({ status: 409, code: 'CUSTOMER_NUMBER_TAKEN' });
    expect((await newCustomer({ number: 'ONCE' })).number).toBe('ONCE');
  });

  test.each<[string, object]>([
    ['/number', { number: '', name: 'A' }],
    ['/number', { number: 'x'.repeat(65), name: 'A' }],
    ['/number', { number: 'a\u0000b', name: 'A' }],
    ['/number', { number: { $gt: '' }, name: 'A' }],
    ['/name', { number: '1' }],
    ['/deviceLimit', { number: '1', name: 'A', deviceLimit: -1 }],
    ['/deviceLimit', { number: '1', name: 'A', deviceLimit: 1.5 }],
    ['/deviceLimit', { number: '1', name: 'A', deviceLimit: 3e9 }],
  ])('are refused with a wrong %s', async (path, body) => {
    const { status, body: problem } = await registry.call(admin, 'POST /api/customers', { body });
    expect(status).toBe(422);
    expect(problem).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path }] });
  });

  test('are refused with fields that are not theirs', async () => {
    const reply = await registry.call(admin, 'POST /api/customers', { body: { number: '1', name: 'A', id: 'mine' } });
    expect(reply.body).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
  });

  test('are not changed or deleted by somebody who read an older version', async () => {
    const { id } = await newCustomer();
    const headers = { 'If-Match': '"1"' };
    expect((await registry.call(admin, `PATCH /api/customers/${id}`, { body: { name: 'B' }, headers })).status).toBe(
      200,
    );
    const stale = await registry.call(admin, `PATCH /api/customers/${id}`, { body: { name: 'C' }, headers });
    expect(stale.body).toMatchObject({ status: 412, code: 'VERSION_MISMATCH' });
    expect((await registry.call(admin, `DELETE /api/customers/${id}`, { headers })).status).toBe(412);
    expect((await registry.call(admin, `GET /api/customers/${id}`)).body.name).toBe('B');
  });

  test('are not deleted while they have devices or users', async () => {
    const { id } = await newCustomer();
    const device = await registry.call(admin, 'POST /api/devices', { body: { name: 'D', customer: id } });
    const refused = await registry.call(admin, `DELETE /api/customers/${id}`);
    expect(refused.body).toMatchObject({
      status: 409,
      code: 'CUSTOMER_IN_USE',
      detail: expect.stringContaining('1 devices, 0 assets'),
    });
    await registry.call(admin, `DELETE /api/devices/${device.body.id}`);
    USERS_OF.set(id, 2);
    expect((await registry.call(admin, `DELETE /api/customers/${id}`)).body.detail).toContain('2 users');
    USERS_OF.delete(id);
    expect((await registry.call(admin, `DELETE /api/customers/${id}`)).status).toBe(204);
  });

  test('show an operator their own only, and a user none', async () => {
    const mine = await newCustomer();
    const other = await newCustomer();
    const operator = person('operator', mine.id);
    expect((await registry.call(operator, 'GET /api/customers')).body.items).toEqual([mine]);
    expect((await registry.call(operator, `GET /api/customers/${mine.id}`)).body).toEqual(mine);
    expect((await registry.call(operator, `GET /api/customers/${other.id}`)).status).toBe(404);
    expect((await registry.call(person('operator'), 'GET /api/customers')).body.items).toEqual([]);
    for (const request of [
      'POST /api/customers',
      `PATCH /api/customers/${mine.id}`,
      `DELETE /api/customers/${mine.id}`,
    ] as const) {
      const reply = await registry.call(operator, request, { body: { number: '9', name: 'x' } });
      expect(reply.body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    }
    expect((await registry.call(person('user', mine.id), `GET /api/customers/${mine.id}`)).status).toBe(403);
    expect((await registry.call(undefined, 'GET /api/customers')).body.code).toBe('UNAUTHENTICATED');
  });

  test('are found by the beginning of their number or name, page by page in every order', async () => {
    for (const number of ['pg-3', 'pg-1', 'pg-2']) await newCustomer({ number, name: `Zeta ${number}` });
    const numbers = async (query: string) => {
      const found: string[] = [];
      let cursor = '';
      do {
        const { body } = await registry.call(admin, `GET /api/customers?limit=2&${query}${cursor}`);
        found.push(...body.items.map(({ number }: { number: string }) => number));
        cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
      } while (cursor !== '');
      return found;
    };
    expect(await numbers('q=pg-')).toEqual(['pg-3', 'pg-1', 'pg-2']);
    expect(await numbers('q=zeta&sort=-createdAt')).toEqual(['pg-2', 'pg-1', 'pg-3']);
    expect(await numbers('q=ZETA&sort=number')).toEqual(['pg-1', 'pg-2', 'pg-3']);
    expect(await numbers('q=pg&sort=-name')).toEqual(['pg-3', 'pg-2', 'pg-1']);
    expect(await numbers(`q=${encodeURIComponent("' OR 1=1 --")}`)).toEqual([]);
    expect(await numbers('q=%25')).toEqual([]);
  });

  test('keep the devices they have when their limit is lowered, and take no more', async () => {
    const { id } = await newCustomer({ deviceLimit: 2 });
    const add = () => registry.call(admin, 'POST /api/devices', { body: { name: 'D', customer: id } });
    expect([(await add()).status, (await add()).status]).toEqual([201, 201]);
    await registry.call(admin, `PATCH /api/customers/${id}`, { body: { deviceLimit: 1 } });
    expect((await add()).body).toMatchObject({ status: 409, code: 'DEVICE_LIMIT_REACHED' });
    expect((await registry.call(admin, `GET /api/customers/${id}`)).body).toMatchObject({
      deviceLimit: 1,
      deviceCount: 2,
    });
  });
}
