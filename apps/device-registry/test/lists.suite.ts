import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of lists of devices, over HTTP. */
export function listsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  let customer: string;
  let profile: string;
  let user: Person;
  let gateway: Json;

  const create = async (document: object, who: Person = admin): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: document })).body;
  const page = async (query: string, who: Person = admin): Promise<Json> =>
    (await registry.call(who, `GET /api/devices?${query}`)).body;
  const allPages = async (query: string, between: () => Promise<unknown> = () => Promise.resolve()) => {
    const names: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { items, nextCursor }: Json = await page(`limit=3&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      names.push(...items.map(({ name }: Json) => name));
      cursor = nextCursor;
      await between();
    }
    return names;
  };

  beforeAll(async () => {
    registry = await startRegistry(await database());
    const made = await registry.call(admin, 'POST /api/customers', { body: { number: '1', name: 'Acme' } });
    customer = made.body.id;
    profile = (await registry.call(admin, 'POST /api/device-profiles', { body: { name: 'Boiler' } })).body.id;
    user = person('user', customer);
    gateway = await create({ name: 'Hub', kind: 'gateway', customer, serial: 'HUB-1' });
    await create({ name: 'beta', macAddress: 'CE:13:14:15', serial: 'SN/0042', labels: ['hot', 'cellar'], profile });
    await create({ name: 'Alpha', customer, master: gateway.id, labels: ['hot'] });
    await create({ name: 'alpha', macAddress: 'ce:13:99' }, user);
    await create({ name: 'Ärger im Keller', customer });
    for (let i = 0; i < 5; i += 1) await create({ name: 'same', labels: ['page'] });
  });
  afterAll(() => registry.stop());

  test('are sorted by creation, or by name without regard to case, up or down', async () => {
    const order = ['Hub', 'beta', 'Alpha', 'alpha', 'Ärger im Keller', 'same', 'same', 'same', 'same', 'same'];
    const byName = ['Alpha', 'alpha', 'beta', 'Hub', 'same', 'same', 'same', 'same', 'same', 'Ärger im Keller'];
    expect(await allPages('')).toEqual(order);
    expect(await allPages('sort=createdAt')).toEqual(order);
    expect(await allPages('sort=-createdAt')).toEqual([...order].reverse());
    expect(await allPages('sort=name')).toEqual(byName);
    const down = await allPages('sort=-name');
    expect(down.map((name) => name.toLowerCase())).toEqual(byName.map((name) => name.toLowerCase()).reverse());
  });

  test('show everything once while devices are added and deleted between pages', async () => {
    for (const sort of ['name', '-name', 'createdAt']) {
      const ids: string[] = [];
      let cursor = '';
      for (;;) {
        const { items, nextCursor } = await page(`limit=2&label=page&sort=${sort}${cursor}`);
        ids.push(...items.map(({ id }: Json) => id));
        if (nextCursor === null) break;
        cursor = `&cursor=${nextCursor}`;
        const added = await create({ name: sort === 'name' ? 'aaa' : 'zzz' });
        await registry.call(admin, `DELETE /api/devices/${added.id}`);
      }
      expect(new Set(ids).size).toBe(5);
      expect(ids).toHaveLength(5);
    }
  });

  test('go on after a device that was deleted meanwhile', async () => {
    await Promise.all(Array.from({ length: 4 }, (_, i) => create({ name: `gone ${String(i)}`, labels: ['gone'] })));
    const { items, nextCursor } = await page('limit=2&label=gone&sort=name');
    for (const { id } of items) await registry.call(admin, `DELETE /api/devices/${id}`);
    const rest = await page(`limit=2&label=gone&sort=name&cursor=${nextCursor}`);
    expect(rest.items.map(({ name }: Json) => name)).toEqual(['gone 2', 'gone 3']);
    expect(rest.nextCursor).toBeNull();
  });

  test('are narrowed by every filter, and by several', async () => {
    const names = async (query: string) => (await page(query)).items.map(({ name }: Json) => name);
    expect(await names(`customer=${customer}`)).toEqual(['Hub', 'Alpha', 'alpha', 'Ärger im Keller']);
    expect(await names(`owner=${user.principal.userId}`)).toEqual(['alpha']);
    expect(await names(`master=${gateway.id}`)).toEqual(['Alpha']);
    expect(await names('kind=gateway')).toEqual(['Hub']);
    expect(await names(`profile=${profile}`)).toEqual(['beta']);
    expect(await names(`profile=${customer}`)).toEqual([]);
    expect(await names('state=created&kind=gateway')).toEqual(['Hub']);
    expect(await names('state=active')).toEqual([]);
    expect(await names('label=hot')).toEqual(['beta', 'Alpha']);
    expect(await names('label=Hot')).toEqual([]);
    expect(await names('macAddress=ce131415')).toEqual(['beta']);
    expect(await names('serial=SN%2F0042')).toEqual(['beta']);
    expect(await names(`label=hot&customer=${customer}&sort=-name&q=al`)).toEqual(['Alpha']);
  });

  test.each([
    ['alph', ['Alpha', 'alpha']],
    ['ALPHA', ['Alpha', 'alpha']],
    ['keller ä', ['Ärger im Keller']],
    ['0042', ['beta']],
    ['sn/00', ['beta']],
    ['ce:13', ['beta', 'alpha']],
    ['CE1314', ['beta']],
    ['ce-13-99', ['alpha']],
    ['lpha', []],
    ['alpha beta', []],
  ])('are searched for %j', async (q, found) => {
    const { items } = await page(`q=${encodeURIComponent(q)}`);
    expect(items.map(({ name }: Json) => name)).toEqual(found);
  });

  test('find a device by its new name, serial and MAC address only', async () => {
    const { id } = await create({ name: 'Oldname', serial: 'OLDSERIAL', macAddress: '0A:01' });
    await registry.call(admin, `PATCH /api/devices/${id}`, {
      body: { name: 'Newname', serial: 'NEWSERIAL', macAddress: '0B:01', labels: ['newlabel'] },
    });
    for (const [query, count] of [
      ['q=oldn', 0],
      ['q=olds', 0],
      ['q=0a01', 0],
      ['q=newn', 1],
      ['q=news', 1],
      ['q=0b01', 1],
      ['label=newlabel', 1],
    ] as const) {
      expect((await page(query)).items).toHaveLength(count);
    }
  });

  const injections = [
    `' OR '1'='1`,
    `"; DROP TABLE devices; --`,
    '%',
    '_',
    '\\',
    `\u0000`,
    '😀',
    '{"$gt":""}',
    `') OR 1=1 --`,
  ];
  test.each(injections)('find nothing for %j in any filter, and nothing is harmed', async (evil) => {
    const text = encodeURIComponent(evil);
    for (const filter of [
      'customer',
      'profile',
      'state',
      'owner',
      'master',
      'kind',
      'macAddress',
      'cursor',
      'sort',
      'limit',
    ]) {
      expect((await page(`${filter}=${text}`)).code).toBe('INVALID_INPUT');
    }
    for (const filter of ['label', 'serial', 'q']) {
      const reply = await page(`${filter}=${text}`);
      if (reply.code !== 'INVALID_INPUT') expect(reply.items).toEqual([]);
    }
    expect((await page('q=hub')).items).toHaveLength(1);
  });

  test.each([
    'limit=0',
    'limit=1001',
    'limit=1&limit=2',
    'sort=id',
    'q=',
    'q[a]=1',
    'label[$ne]=1',
    'unknown=1',
    `q=${'x'.repeat(129)}`,
  ])('refuse %s', async (query) => {
    expect(await page(query)).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
  });

  test('refuse the cursor of another order', async () => {
    const { nextCursor } = await page('limit=1&sort=name');
    expect((await page(`sort=-name&cursor=${nextCursor}`)).errors).toMatchObject([{ path: '/cursor' }]);
  });

  test('page through names of the greatest length', async () => {
    await Promise.all(Array.from({ length: 2 }, () => create({ name: '電'.repeat(128), labels: ['long'] })));
    const { nextCursor } = await page('limit=1&label=long&sort=name');
    expect((await page(`limit=1&label=long&sort=name&cursor=${nextCursor}`)).items).toHaveLength(1);
  });
}
