import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of relations, over HTTP. */
export function relationsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  let profile: string;
  beforeAll(async () => {
    registry = await startRegistry(await database());
    profile = (await registry.call(admin, 'POST /api/asset-profiles', { body: { name: 'Any' } })).body.id;
  });
  afterAll(() => registry.stop());

  const newCustomer = async (): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A' } })).body.id;
  const newAsset = async (customer: string | null = null, name = 'Asset'): Promise<Json> =>
    (await registry.call(admin, 'POST /api/assets', { body: { name, profile, customer } })).body;
  const newAssets = (count: number) => Promise.all(Array.from({ length: count }, () => newAsset()));
  const newDevice = async (customer: string | null = null): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: 'Device', customer } })).body;
  const relate = (from: string | undefined, to: string | undefined, type?: string, who: Person = admin) =>
    registry.call(who, 'POST /api/relations', { body: { from, to, type } });
  const count = async (query: string) => (await registry.call(admin, `GET /api/relations?${query}`)).body.items.length;

  test('lead from an asset to an asset or a device, and contain unless another type is said', async () => {
    const [house, room, device] = [await newAsset(null, 'House'), await newAsset(null, 'Room'), await newDevice()];
    const made = await relate(house.id, room.id);
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      id: expect.any(String),
      type: 'Contains',
      from: house.id,
      fromName: 'House',
      to: room.id,
      toName: 'Room',
      toKind: 'asset',
      customer: null,
      createdAt: expect.any(Number),
    });
    const other = await relate(house.id, device.id, 'Supplied by');
    expect(other.body).toMatchObject({ type: 'Supplied by', toKind: 'device', toName: 'Device' });
    expect((await registry.call(admin, `GET /api/relations?from=${house.id}`)).body.items).toEqual([
      made.body,
      other.body,
    ]);
    for (const [query, found] of [
      [`to=${device.id}`, other.body],
      [`from=${house.id}&type=Contains`, made.body],
      ['type=Supplied%20by', other.body],
    ] as const) {
      expect((await registry.call(admin, `GET /api/relations?${query}`)).body.items).toEqual([found]);
    }
    const toRoom = await registry.call(admin, `GET /api/assets/${room.id}/relations?direction=to`);
    expect(toRoom.body.items).toEqual([made.body]);
    expect((await registry.call(admin, `DELETE /api/relations/${made.body.id}`)).status).toBe(204);
    expect((await registry.call(admin, `DELETE /api/relations/${made.body.id}`)).body.code).toBe('NOT_FOUND');
  });

  test('are there once, however many ask at the same time', async () => {
    const [house, device] = [await newAsset(), await newDevice()];
    const replies = await Promise.all(Array.from({ length: 20 }, () => relate(house.id, device.id)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'RELATION_EXISTS')).toHaveLength(19);
    expect(await count(`from=${house.id}`)).toBe(1);
  });

  test.each<[string, object]>([
    ['/from', { to: randomUUID() }],
    ['/from', { from: 'x', to: randomUUID() }],
    ['/from', { from: `' OR '1'='1`, to: randomUUID() }],
    ['/to', { from: randomUUID() }],
    ['/to', { from: randomUUID(), to: { $ne: null } }],
    ['/type', { from: randomUUID(), to: randomUUID(), type: '' }],
    ['/type', { from: randomUUID(), to: randomUUID(), type: 'x'.repeat(65) }],
    ['/type', { from: randomUUID(), to: randomUUID(), type: 'a\u0000' }],
    ['/unknown', { from: randomUUID(), to: randomUUID(), unknown: 1 }],
  ])('are refused with a wrong %s', async (path, body) => {
    expect((await registry.call(admin, 'POST /api/relations', { body })).body).toMatchObject({
      status: 422,
      code: 'INVALID_INPUT',
      errors: [{ path }],
    });
  });

  test.each(['from=1', 'to=x', 'type=', 'limit=0', 'cursor=x', 'sort=type'])('lists refuse %s', async (query) => {
    expect((await registry.call(admin, `GET /api/relations?${query}`)).body.code).toBe('INVALID_INPUT');
  });

  test('do not lead from a device, to what is not there, or from one customer to another', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    const [mine, foreign, nobodys] = [await newAsset(one), await newAsset(other), await newAsset()];
    const device = await newDevice(other);
    expect((await relate(device.id, mine.id)).body.errors).toMatchObject([{ path: '/from' }]);
    expect((await relate(mine.id, randomUUID())).body.errors).toMatchObject([{ path: '/to' }]);
    for (const { id } of [foreign, nobodys, device]) {
      expect((await relate(mine.id, id)).body).toMatchObject({ status: 422, errors: [{ path: '/to' }] });
    }
  });

  test('of others are not there, nor are their ends', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    const operator = person('operator', one);
    const [mine, foreign, foreignDevice] = [await newAsset(one), await newAsset(other), await newDevice(other)];
    const words = async (from: string, to: string) =>
      (await relate(from, to, 'Contains', operator)).body.detail.replaceAll(/[0-9a-f-]{36}/g, 'it');
    expect(await words(mine.id, foreign.id)).toBe(await words(mine.id, randomUUID()));
    expect(await words(mine.id, foreignDevice.id)).toBe(await words(mine.id, randomUUID()));
    expect(await words(foreign.id, mine.id)).toBe(await words(randomUUID(), mine.id));
    const relation = (await relate(foreign.id, foreignDevice.id)).body;
    expect((await registry.call(operator, `DELETE /api/relations/${relation.id}`)).body.code).toBe('NOT_FOUND');
    expect((await registry.call(operator, `GET /api/relations?from=${foreign.id}`)).body.items).toEqual([]);
    const own = (await relate(mine.id, (await newDevice(one)).id, 'Contains', operator)).body;
    expect((await registry.call(operator, 'GET /api/relations')).body.items).toEqual([own]);
    expect((await registry.call(operator, `DELETE /api/relations/${own.id}`)).status).toBe(204);
    expect((await registry.call(person('user'), 'GET /api/relations')).body.code).toBe('FORBIDDEN');
    expect((await registry.call(undefined, 'GET /api/relations')).status).toBe(401);
  });

  test('do not close a circle of one type, long or short', async () => {
    const assets = await newAssets(5);
    const ids = assets.map(({ id }) => id);
    for (let i = 1; i < ids.length; i += 1) expect((await relate(ids[i - 1], ids[i])).status).toBe(201);
    expect((await relate(ids[0], ids[0])).body).toMatchObject({ status: 409, code: 'RELATION_CYCLE' });
    expect((await relate(ids[1], ids[0])).body.code).toBe('RELATION_CYCLE');
    expect((await relate(ids[4], ids[0])).body.code).toBe('RELATION_CYCLE');
    expect((await relate(ids[4], ids[0], 'Reports to')).status).toBe(201);
    expect((await relate(ids[0], ids[4], 'Reports to')).body.code).toBe('RELATION_CYCLE');
    expect((await relate(ids[0], ids[4])).status).toBe(201);
  });

  test('added at once never close a circle together', async () => {
    for (let round = 0; round < 3; round += 1) {
      const ids = (await newAssets(8)).map(({ id }) => id);
      const type = `Round ${String(round)}`;
      const pairs = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })));
      const replies = await Promise.all(pairs.map(({ from, to }) => relate(from, to, type)));
      expect(replies.every(({ status, body }) => status === 201 || body.code === 'RELATION_CYCLE')).toBe(true);
      const { items } = (await registry.call(admin, `GET /api/relations?limit=1000&type=${encodeURIComponent(type)}`))
        .body;
      expect(items.length).toBe((ids.length * (ids.length - 1)) / 2);
      expect(hasCircle(items.map(({ from, to }) => [String(from), String(to)]))).toBe(false);
    }
  });

  test('go at most 64 levels deep from above', async () => {
    const ids = (await newAssets(66)).map(({ id }) => id);
    for (let i = 1; i < 65; i += 1) expect((await relate(ids[i - 1], ids[i])).status).toBe(201);
    expect((await relate(ids[64], ids[65])).body).toMatchObject({ status: 422, errors: [{ path: '/from' }] });
    expect((await relate(ids[64], (await newDevice()).id)).status).toBe(201);
  });

  test('end with a device that is deleted, which is never kept by them', async () => {
    const [house, device] = [await newAsset(), await newDevice()];
    await relate(house.id, device.id);
    expect((await registry.call(admin, `DELETE /api/devices/${device.id}`)).status).toBe(204);
    expect(await count(`from=${house.id}`)).toBe(0);
    expect((await registry.call(admin, `DELETE /api/assets/${house.id}`)).status).toBe(204);
  });

  test('never outlive an end that is deleted at the same time, nor join two customers that are parted at the same time', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const [house, device] = [await newAsset(one), await newDevice(one)];
        const end = `/api/devices/${device.id}` as const;
        const [made, changed] = await Promise.all([
          relate(house.id, device.id),
          i % 2 === 0
            ? registry.call(admin, `DELETE ${end}`)
            : registry.call(admin, `PATCH ${end}`, { body: { customer: other } }),
        ]);
        const left = await count(`from=${house.id}`);
        const { status, body } = await registry.call(admin, `GET ${end}`);
        expect(changed.status < 300 || changed.body.code === 'STILL_RELATED').toBe(true);
        expect(made.status === 201 || made.status === 422).toBe(true);
        expect(left).toBe(status === 200 && body.customer === one ? 1 : 0);
      }),
    );
  });

  test('are shown page by page', async () => {
    const house = await newAsset();
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.push((await relate(house.id, (await newDevice()).id)).body.id);
    for (const path of [`/api/relations?from=${house.id}&`, `/api/assets/${house.id}/relations?`] as const) {
      const ids: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body } = await registry.call(admin, `GET ${path}limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
        ids.push(...body.items.map(({ id }: Json) => id));
        cursor = body.nextCursor;
      }
      expect(ids).toEqual(made);
    }
  });
}

/** Is there a way from somewhere back to itself? Takes away what leads nowhere until nothing is left, or only circles. */
function hasCircle(edges: [from: string, to: string][]): boolean {
  const withWayOn = edges.filter(([, to]) => edges.some(([from]) => from === to));
  return withWayOn.length === edges.length ? edges.length > 0 : hasCircle(withWayOn);
}
