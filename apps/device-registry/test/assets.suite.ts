import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  person,
  startRegistry,
  statementsDuring,
  type Json,
  type Person,
  type StartedRegistry,
} from './started-registry.ts';

interface Node {
  id: string;
  name: string;
  profile: string;
  latitude: number | null;
  longitude: number | null;
  deviceCount: number;
  children: Node[];
  devices?: { id: string; name: string; kind: string; state: string }[];
}

/** A tree as one line: `Country(State(2 devices))`. */
const drawn = (nodes: Node[]): string =>
  nodes
    .map(({ name, children, deviceCount }) => {
      const inside = [drawn(children), deviceCount > 0 ? String(deviceCount) : ''].filter(Boolean).join(' ');
      return inside === '' ? name : `${name}(${inside})`;
    })
    .join(' ');

/** What the registry promises of assets, over HTTP. */
export function assetsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  let profile: string;
  beforeAll(async () => {
    registry = await startRegistry(await database());
    profile = (await registry.call(admin, 'POST /api/asset-profiles', { body: { name: 'Building' } })).body.id;
  });
  afterAll(() => registry.stop());

  const newCustomer = async (): Promise<{ id: string; number: string }> => {
    const body = { number: randomUUID(), name: 'Acme' };
    return (await registry.call(admin, 'POST /api/customers', { body })).body;
  };
  const create = (document: object, who: Person = admin) =>
    registry.call(who, 'POST /api/assets', { body: { name: 'Asset', profile, ...document } });
  const newAsset = async (document: object = {}, who: Person = admin): Promise<Json> => {
    const { body } = await create(document, who);
    expect(body).toMatchObject({ id: expect.any(String) });
    return body;
  };
  const newDevice = async (document: object): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: 'Device', ...document } })).body;
  const contain = async (from: { id: string }, to: { id: string }): Promise<Json> => {
    const { body } = await registry.call(admin, 'POST /api/relations', { body: { from: from.id, to: to.id } });
    expect(body).toMatchObject({ id: expect.any(String) });
    return body;
  };
  const patch = (id: string, body: object, headers: Record<string, string> = {}, who: Person = admin) =>
    registry.call(who, `PATCH /api/assets/${id}`, { body, headers });
  const tree = async (query: string, who: Person = admin) => {
    const { status, body } = await registry.call(who, `GET /api/assets/tree?${query}`);
    expect(status).toBe(200);
    return body as unknown as { items: Node[]; truncated: boolean };
  };

  test('are made, read, changed and deleted', async () => {
    const customer = await newCustomer();
    const made = await create({
      name: ' House 1 ',
      customer: customer.id,
      latitude: -90,
      longitude: 180,
      attributes: { floors: 3, owner: { name: 'Ä' } },
    });
    expect([made.status, made.headers.get('etag')]).toEqual([201, '"1"']);
    expect(made.body).toEqual({
      id: expect.any(String),
      name: 'House 1',
      profile,
      customer: customer.id,
      latitude: -90,
      longitude: 180,
      attributes: { floors: 3, owner: { name: 'Ä' } },
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
      version: 1,
    });
    const { id } = made.body;
    expect((await registry.call(admin, `GET /api/assets/${id}`)).body).toEqual(made.body);
    const changed = await patch(id, { latitude: null, longitude: null, attributes: { owner: { year: 1 } } });
    expect(changed.body).toMatchObject({
      latitude: null,
      longitude: null,
      attributes: { floors: 3, owner: { name: 'Ä', year: 1 } },
      version: 2,
    });
    expect((await registry.call(admin, `DELETE /api/assets/${id}`)).status).toBe(204);
    expect((await registry.call(admin, `GET /api/assets/${id}`)).status).toBe(404);
  });

  test('take the number of a customer and the name of a profile in any case, and answer ids', async () => {
    const customer = await newCustomer();
    const asset = await newAsset({ customer: customer.number, profile: 'BUILDING' });
    expect(asset).toMatchObject({ customer: customer.id, profile });
    const other = await newCustomer();
    expect((await patch(asset.id, { customer: other.number, profile: 'building' })).body).toMatchObject({
      customer: other.id,
      profile,
    });
  });

  const deep = JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)) as object;
  test.each<[string, object]>([
    ['/name', { name: '' }],
    ['/name', { name: 'x'.repeat(129) }],
    ['/profile', { profile: randomUUID() }],
    ['/profile', { profile: 'Nothing like it' }],
    ['/profile', { profile: null }],
    ['/customer', { customer: randomUUID() }],
    ['/customer', { customer: `' OR '1'='1` }],
    ['/latitude', { latitude: 90.001, longitude: 0 }],
    ['/latitude', { latitude: '1', longitude: 0 }],
    ['/longitude', { latitude: 0, longitude: -180.001 }],
    ['/longitude', { latitude: 0 }],
    ['/latitude', { longitude: 0 }],
    ['/attributes', { attributes: deep }],
    ['/attributes', { attributes: { a: 'x'.repeat(16_384) } }],
    ['/identityKey', { identityKey: 'x' }],
  ])('are refused with a wrong %s, made or changed', async (path, document) => {
    expect((await create(document)).body).toMatchObject({ status: 422, code: 'INVALID_INPUT', errors: [{ path }] });
    const { id } = await newAsset();
    expect((await patch(id, document)).status).toBe(422);
    expect((await registry.call(admin, `GET /api/assets/${id}`)).body.version).toBe(1);
  });

  test('are changed and deleted only in the version that If-Match names', async () => {
    const { id } = await newAsset();
    const headers = { 'If-Match': '"1"' };
    expect((await patch(id, { name: 'B' }, headers)).status).toBe(200);
    expect((await patch(id, { name: 'C' }, headers)).body).toMatchObject({ status: 412, code: 'VERSION_MISMATCH' });
    expect((await registry.call(admin, `DELETE /api/assets/${id}`, { headers })).status).toBe(412);
  });

  test('keep every one of fifty changes at once', async () => {
    const { id } = await newAsset();
    await Promise.all(Array.from({ length: 50 }, (_, i) => patch(id, { attributes: { [`k${String(i)}`]: i } })));
    const { body } = await registry.call(admin, `GET /api/assets/${id}`);
    expect([Object.keys(body.attributes).length, body.version]).toEqual([50, 51]);
  });

  test('of an operator are those of their customer; those of others are not there', async () => {
    const [mine, other] = [await newCustomer(), await newCustomer()];
    const operator = person('operator', mine.id);
    const asset = await newAsset({}, operator);
    expect(asset.customer).toBe(mine.id);
    const foreign = await newAsset({ customer: other.id });
    const nobodys = await newAsset();
    for (const who of [operator, person('operator')]) {
      for (const { id } of [foreign, nobodys, { id: randomUUID() }]) {
        const replies = [
          await registry.call(who, `GET /api/assets/${id}`),
          await patch(id, { name: 'Mine' }, {}, who),
          await registry.call(who, `DELETE /api/assets/${id}`),
          await registry.call(who, `GET /api/assets/${id}/relations`),
          await registry.call(who, `GET /api/assets/tree?root=${id}`),
        ];
        for (const { body } of replies) {
          expect(body).toMatchObject({ status: 404, detail: `There is no asset ${id} among those you may see.` });
        }
      }
      for (const customer of [other.id, other.number, null]) {
        expect((await create({ customer }, who)).body.errors).toMatchObject([{ path: '/customer' }]);
      }
      expect((await registry.call(who, `GET /api/assets?customer=${other.id}`)).body.items).toEqual([]);
      expect((await tree(`customer=${other.id}`, who)).items).toEqual([]);
    }
    expect((await patch(asset.id, { customer: other.number }, {}, operator)).body.errors).toMatchObject([
      { path: '/customer' },
    ]);
    expect((await registry.call(operator, 'GET /api/assets')).body.items).toEqual([asset]);
    expect((await registry.call(operator, `DELETE /api/assets/${asset.id}`)).status).toBe(204);
  });

  test.each(['GET /api/assets', 'POST /api/assets', 'GET /api/assets/tree'] as const)(
    'are not for users: %s',
    async (request) => {
      expect((await registry.call(person('user'), request)).body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
      expect((await registry.call(undefined, request)).status).toBe(401);
    },
  );

  test('are listed by customer, profile, parent and beginning of the name, in every order, page by page', async () => {
    const customer = await newCustomer();
    const other = (await registry.call(admin, 'POST /api/asset-profiles', { body: { name: 'Room' } })).body.id;
    const house = await newAsset({ name: 'house', customer: customer.id });
    for (const name of ['Cellar', 'attic', 'Bath']) {
      await contain(house, await newAsset({ name, customer: customer.id, profile: other }));
    }
    const names = async (query: string) => {
      const found: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body } = await registry.call(
          admin,
          `GET /api/assets?limit=2&customer=${customer.id}&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        found.push(...body.items.map(({ name }: Json) => name));
        cursor = body.nextCursor;
      }
      return found.join(' ');
    };
    expect(await names('')).toBe('house Cellar attic Bath');
    expect(await names('sort=-createdAt')).toBe('Bath attic Cellar house');
    expect(await names('sort=name')).toBe('attic Bath Cellar house');
    expect(await names(`sort=-name&parent=${house.id}`)).toBe('Cellar Bath attic');
    expect(await names(`profile=${other}`)).toBe('Cellar attic Bath');
    expect(await names('q=CELL')).toBe('Cellar');
    expect(await names('q=ellar')).toBe('');
  });

  test.each(['limit=0', 'sort=id', 'cursor=x', 'unknown=1', 'q=', 'customer=1', 'profile=Building', 'parent=%27'])(
    'lists refuse %s',
    async (query) => {
      expect((await registry.call(admin, `GET /api/assets?${query}`)).body.code).toBe('INVALID_INPUT');
    },
  );

  test('that contain something are not deleted; with those that are, the relations to them end', async () => {
    const [house, room] = [await newAsset({ name: 'House' }), await newAsset({ name: 'Room' })];
    const relation = await contain(house, room);
    expect((await registry.call(admin, `DELETE /api/assets/${house.id}`)).body).toMatchObject({
      status: 409,
      code: 'ASSET_IN_USE',
      detail: expect.stringContaining(`/api/assets/${house.id}/relations?direction=from`),
    });
    const listed = await registry.call(admin, `GET /api/assets/${house.id}/relations`);
    expect(listed.body.items).toEqual([relation]);
    expect((await registry.call(admin, `DELETE /api/assets/${room.id}`)).status).toBe(204);
    expect((await registry.call(admin, `GET /api/assets/${house.id}/relations`)).body.items).toEqual([]);
    expect((await registry.call(admin, `DELETE /api/assets/${house.id}`)).status).toBe(204);
  });

  test('keep their customer from being deleted, also one made just now', async () => {
    const customer = await newCustomer();
    const { id } = await newAsset({ customer: customer.id });
    expect((await registry.call(admin, `DELETE /api/customers/${customer.id}`)).body).toMatchObject({
      status: 409,
      code: 'CUSTOMER_IN_USE',
      detail: expect.stringContaining('1 assets'),
    });
    await registry.call(admin, `DELETE /api/assets/${id}`);
    const [made, removed] = await Promise.all([
      create({ customer: customer.id }),
      registry.call(admin, `DELETE /api/customers/${customer.id}`),
    ]);
    expect([
      [201, 409],
      [422, 204],
    ]).toContainEqual([made.status, removed.status]);
  });

  test('that are related stay with their customer, and so do their devices', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    const house = await newAsset({ customer: one.id });
    const device = await newDevice({ customer: one.id });
    const relation = await contain(house, device);
    expect((await patch(house.id, { customer: other.id })).body).toMatchObject({ status: 409, code: 'STILL_RELATED' });
    const moved = () => registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { customer: other.number } });
    expect((await moved()).body).toMatchObject({
      code: 'STILL_RELATED',
      detail: expect.stringContaining(`GET /api/relations?to=${device.id}`),
    });
    expect((await patch(house.id, { name: 'Still there' })).status).toBe(200);
    await registry.call(admin, `DELETE /api/relations/${relation.id}`);
    expect((await moved()).body.customer).toBe(other.id);
    expect((await patch(house.id, { customer: null })).body.customer).toBeNull();
  });

  describe('as a tree', () => {
    test('show what contains what in one request, with devices where they are asked for', async () => {
      const customer = (await newCustomer()).id;
      const [italy, lazio, rome, liguria] = [
        await newAsset({ name: 'Italy', customer, latitude: 42.5, longitude: 12.5 }),
        await newAsset({ name: 'Lazio', customer }),
        await newAsset({ name: 'Rome', customer }),
        await newAsset({ name: 'Liguria', customer }),
      ];
      await newAsset({ name: 'france', customer });
      const [boiler, pump] = [
        await newDevice({ name: 'Boiler', customer }),
        await newDevice({ name: 'a pump', customer, kind: 'gateway' }),
      ];
      for (const [from, to] of [
        [italy, lazio],
        [italy, liguria],
        [lazio, rome],
        [rome, boiler],
        [rome, pump],
        [italy, pump],
      ] as const) {
        await contain(from, to);
      }
      const whole = await tree(`customer=${customer}`);
      expect(drawn(whole.items)).toBe('france Italy(Lazio(Rome(2)) Liguria 1)');
      expect(whole.truncated).toBe(false);
      expect(whole.items[1]).toMatchObject({
        id: italy.id,
        name: 'Italy',
        profile: 'Building',
        latitude: 42.5,
        longitude: 12.5,
        deviceCount: 1,
      });
      expect(whole.items[1]).not.toHaveProperty('devices');
      expect(drawn((await tree(`root=${lazio.id}`)).items)).toBe('Lazio(Rome(2))');
      expect(drawn((await tree(`root=${italy.id}&depth=1`)).items)).toBe('Italy(Lazio Liguria 1)');
      expect(drawn((await tree(`root=${italy.id}&depth=0`)).items)).toBe('Italy(1)');
      const shown = await tree(`root=${rome.id}&devices=true`);
      expect(shown.items[0]?.devices).toEqual([
        { id: pump.id, name: 'a pump', kind: 'gateway', state: 'created' },
        { id: boiler.id, name: 'Boiler', kind: 'direct', state: 'created' },
      ]);
      expect(drawn((await tree('', person('operator', customer))).items)).toBe(drawn(whole.items));
    });

    test('show what several contain under each of them, and other types of relations not', async () => {
      const customer = (await newCustomer()).id;
      const [top, left, right, bottom] = [
        await newAsset({ name: 'Top', customer }),
        await newAsset({ name: 'Left', customer }),
        await newAsset({ name: 'Right', customer }),
        await newAsset({ name: 'Bottom', customer }),
      ];
      for (const [from, to] of [
        [top, left],
        [top, right],
        [left, bottom],
        [right, bottom],
      ] as const) {
        await contain(from, to);
      }
      const body = { from: bottom.id, to: top.id, type: 'Reports to' };
      expect((await registry.call(admin, 'POST /api/relations', { body })).status).toBe(201);
      expect(drawn((await tree(`customer=${customer}`)).items)).toBe('Top(Left(Bottom) Right(Bottom))');
    });

    test('ask the database once a level, not once an asset', async () => {
      const customer = (await newCustomer()).id;
      const top = await newAsset({ name: 'Top', customer });
      const rooms = await Promise.all(
        Array.from({ length: 20 }, (_, i) => newAsset({ name: `R${String(i)}`, customer })),
      );
      for (const room of rooms) await contain(top, room);
      const { statements } = await statementsDuring(registry, () => tree(`root=${top.id}&devices=true`));
      expect(statements.length).toBeLessThanOrEqual(7);
    });

    test('have at most ten thousand assets, and say so', async () => {
      const customer = (await newCustomer()).id;
      const top = await newAsset({ name: 'Top', customer });
      await fillBelow(registry, top.id, customer, profile, 10_000);
      const { items, truncated } = await tree(`root=${top.id}`);
      expect([items[0]?.children.length, truncated]).toEqual([9_999, true]);
    });

    test('do not grow beyond that where many contain the same', async () => {
      const customer = (await newCustomer()).id;
      let above = [await newAsset({ name: 'Top', customer })];
      const [top] = above;
      for (let level = 0; level < 8; level += 1) {
        const below = await Promise.all(Array.from({ length: 4 }, () => newAsset({ name: String(level), customer })));
        for (const from of above) for (const to of below) await contain(from, to);
        above = below;
      }
      const { truncated, items } = await tree(`root=${top?.id}`);
      expect(truncated).toBe(true);
      expect(JSON.stringify(items).match(/"id"/g)).toHaveLength(10_000);
    });

    test.each(['root=1', 'depth=-1', 'depth=65', 'devices=1', 'customer=x', 'limit=1'])('refuse %s', async (query) => {
      expect((await registry.call(admin, `GET /api/assets/tree?${query}`)).body.code).toBe('INVALID_INPUT');
    });
  });
}

/** Many assets within one, written past the API. */
async function fillBelow(
  { dataSource: { manager } }: StartedRegistry,
  from: string,
  customer: string,
  profile: string,
  count: number,
): Promise<void> {
  const time = '2026-01-01 00:00:00.000';
  for (let start = 0; start < count; start += 1_000) {
    const ids = Array.from({ length: 1_000 }, () => randomUUID());
    await manager.query(
      `INSERT INTO assets (id, name, sort_name, profile_id, customer_id, attributes, created_at, updated_at) VALUES ${ids.map(() => "(?, 'x', 'x', ?, ?, '{}', ?, ?)").join(', ')}`,
      ids.flatMap((id) => [id, profile, customer, time, time]),
    );
    await manager.query(
      `INSERT INTO relations (id, from_id, type, to_id, to_asset_id, customer_id, created_at) VALUES ${ids.map(() => "(?, ?, 'Contains', ?, ?, ?, ?)").join(', ')}`,
      ids.flatMap((id) => [randomUUID(), from, id, id, customer, time]),
    );
  }
}
