import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of the profiles of devices and of assets, over HTTP. */
export function profilesSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  describe.each(['device-profiles', 'asset-profiles'] as const)('%s', (kind) => {
    const path = `/api/${kind}` as const;
    const create = (document: object) => registry.call(admin, `POST ${path}`, { body: document });
    const newProfile = async (document: object = {}): Promise<Json> =>
      (await create({ name: randomUUID(), ...document })).body;
    const patch = (id: string, body: object, headers: Record<string, string> = {}) =>
      registry.call(admin, `PATCH ${path}/${id}`, { body, headers });

    test('are made, read, changed and deleted by an administrator', async () => {
      const made = await create({ name: ' Boiler ', description: 'Hot water', attributes: { maker: { name: 'Ä' } } });
      expect([made.status, made.headers.get('etag')]).toEqual([201, '"1"']);
      expect(made.body).toEqual({
        id: expect.any(String),
        name: 'Boiler',
        description: 'Hot water',
        attributes: { maker: { name: 'Ä' } },
        ...(kind === 'device-profiles' ? { inactivitySeconds: null } : {}),
        createdAt: expect.any(Number),
        updatedAt: expect.any(Number),
        version: 1,
      });
      const { id } = made.body;
      expect((await registry.call(admin, `GET ${path}/${id}`)).body).toEqual(made.body);
      const changed = await patch(id, { description: null, attributes: { maker: { year: 1 } } });
      expect(changed.body).toMatchObject({
        name: 'Boiler',
        description: null,
        attributes: { maker: { name: 'Ä', year: 1 } },
        version: 2,
      });
      expect((await registry.call(admin, `DELETE ${path}/${id}`)).status).toBe(204);
      expect((await registry.call(admin, `GET ${path}/${id}`)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    });

    test('are read by everybody and kept by administrators only', async () => {
      const { id } = await newProfile();
      for (const who of [person('operator', randomUUID()), person('user')]) {
        expect((await registry.call(who, `GET ${path}`)).status).toBe(200);
        expect((await registry.call(who, `GET ${path}/${id}`)).status).toBe(200);
        const replies = [
          await registry.call(who, `POST ${path}`, { body: { name: 'X' } }),
          await registry.call(who, `PATCH ${path}/${id}`, { body: { name: 'X' } }),
          await registry.call(who, `DELETE ${path}/${id}`),
        ];
        for (const { body } of replies) expect(body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
      }
      expect((await registry.call(undefined, `GET ${path}`)).status).toBe(401);
    });

    test('have a name of their own in any case, also when fifty are made at once', async () => {
      const name = `Once ${randomUUID()}`;
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => create({ name: i % 2 === 0 ? name : name.toUpperCase() })),
      );
      expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(replies.filter(({ body }) => body.code === 'PROFILE_NAME_TAKEN')).toHaveLength(49);
      const other = await newProfile();
      expect((await patch(other.id, { name: name.toLowerCase() })).body).toMatchObject({
        status: 409,
        code: 'PROFILE_NAME_TAKEN',
      });
      expect((await patch(other.id, { name: other.name.toUpperCase() })).status).toBe(200);
    });

    test('are changed and deleted only in the version that If-Match names', async () => {
      const { id } = await newProfile();
      const headers = { 'If-Match': '"1"' };
      expect((await patch(id, { description: 'A' }, headers)).status).toBe(200);
      expect((await patch(id, { description: 'B' }, headers)).body).toMatchObject({ status: 412 });
      expect((await registry.call(admin, `DELETE ${path}/${id}`, { headers })).body.code).toBe('VERSION_MISMATCH');
    });

    test('are found by the beginning of their name, page by page in every order', async () => {
      const mark = randomUUID();
      for (const name of ['c', 'A', 'b']) await newProfile({ name: `${mark} ${name}` });
      const names = async (query: string) => {
        const found: string[] = [];
        for (let cursor: string | null = ''; cursor !== null;) {
          const { body } = await registry.call(
            admin,
            `GET ${path}?limit=2&q=${mark}&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
          );
          found.push(...body.items.map(({ name }: Json) => name.slice(-1)));
          cursor = body.nextCursor;
        }
        return found.join('');
      };
      expect([await names(''), await names('sort=name'), await names('sort=-name')]).toEqual(['Abc', 'Abc', 'cbA']);
      expect([await names('sort=createdAt'), await names('sort=-createdAt')]).toEqual(['cAb', 'bAc']);
      expect((await registry.call(admin, `GET ${path}?q=${mark.toUpperCase()}`)).body.items).toHaveLength(3);
      expect((await registry.call(admin, `GET ${path}?q=${mark.slice(1)}`)).body.items).toEqual([]);
    });

    const deep = JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)) as object;
    test.each<[string, object]>([
      ['/name', { name: '' }],
      ['/name', { name: 'x'.repeat(129) }],
      ['/name', { name: 'two\nlines' }],
      ['/name', { name: { $ne: null } }],
      ['/description', { description: 'x'.repeat(1_025) }],
      ['/description', { description: 1 }],
      ['/attributes', { attributes: [] }],
      ['/attributes', { attributes: { a: 'x'.repeat(16_384) } }],
      ['/attributes', { attributes: deep }],
      ['/id', { id: randomUUID() }],
    ])('are refused with a wrong %s, made or changed', async (field, document) => {
      const problem = { status: 422, code: 'INVALID_INPUT', errors: [{ path: field }] };
      expect((await create({ name: randomUUID(), ...document })).body).toMatchObject(problem);
      const { id } = await newProfile();
      expect((await patch(id, document)).status).toBe(422);
      expect((await registry.call(admin, `GET ${path}/${id}`)).body.version).toBe(1);
    });

    test.each(['limit=0', 'sort=id', 'cursor=x', 'unknown=1', 'q='])('lists refuse %s', async (query) => {
      expect((await registry.call(admin, `GET ${path}?${query}`)).body.code).toBe('INVALID_INPUT');
    });
  });

  test('a device profile says how long its devices may be silent, and takes it back', async () => {
    const path = '/api/device-profiles';
    const make = (document: object) =>
      registry.call(admin, `POST ${path}`, { body: { name: randomUUID(), ...document } });
    const made = (await make({ inactivitySeconds: 600 })).body;
    expect(made['inactivitySeconds']).toBe(600);
    const patch = async (body: object) => (await registry.call(admin, `PATCH ${path}/${made.id}`, { body })).body;
    expect(await patch({ description: 'X' })).toMatchObject({ inactivitySeconds: 600, version: 2 });
    expect(await patch({ inactivitySeconds: 31_536_000 })).toMatchObject({ inactivitySeconds: 31_536_000 });
    expect(await patch({ inactivitySeconds: null })).toMatchObject({ inactivitySeconds: null, description: 'X' });
    expect((await registry.call(admin, `GET ${path}/${made.id}`)).body['inactivitySeconds']).toBeNull();
    const { items } = (await registry.call(admin, `GET ${path}?q=${made.name}`)).body;
    expect(items).toMatchObject([{ id: made.id, inactivitySeconds: null }]);
    for (const inactivitySeconds of [0, -1, 1.5, 31_536_001, '60']) {
      expect((await make({ inactivitySeconds })).body.code).toBe('INVALID_INPUT');
      expect(await patch({ inactivitySeconds })).toMatchObject({ status: 422 });
    }
    const changes = await registry.dataSource.manager.findBy(AuditEntryEntity, { subjectId: made.id });
    expect(changes.map((entry) => entry.changes?.['inactivitySeconds'] ?? null)).toEqual([
      null,
      null,
      { from: 600, to: 31_536_000 },
      { from: 31_536_000, to: null },
    ]);
    const ofAssets = { body: { name: randomUUID(), inactivitySeconds: 600 } };
    expect((await registry.call(admin, 'POST /api/asset-profiles', ofAssets)).body.code).toBe('INVALID_INPUT');
  });

  test.each([
    ['device-profiles', 'devices'],
    ['asset-profiles', 'assets'],
  ])('a profile of %s is not deleted while there are %s that have it', async (kind, things) => {
    const { id } = (await registry.call(admin, `POST /api/${kind}`, { body: { name: randomUUID() } })).body;
    const thing = (await registry.call(admin, `POST /api/${things}`, { body: { name: 'It', profile: id } })).body;
    expect(thing.profile).toBe(id);
    expect((await registry.call(admin, `DELETE /api/${kind}/${id}`)).body).toMatchObject({
      status: 409,
      code: 'PROFILE_IN_USE',
      detail: expect.stringContaining(`GET /api/${things}?profile=${id}`),
    });
    expect((await registry.call(admin, `GET /api/${things}?profile=${id}`)).body.items).toMatchObject([thing]);
    await registry.call(admin, `DELETE /api/${things}/${thing.id}`);
    expect((await registry.call(admin, `DELETE /api/${kind}/${id}`)).status).toBe(204);
  });
}
