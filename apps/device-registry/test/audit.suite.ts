import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of its audit trail, over HTTP. */
export function auditSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const send = async (request: `${string} /${string}`, body?: object, who: Person = admin): Promise<Json> => {
    const reply = await registry.call(who, request, { body });
    expect(reply.status).toBeLessThan(300);
    return reply.body;
  };
  const trail = async (query: string, who: Person = admin): Promise<Json[]> =>
    (await registry.call(who, `GET /api/audit?${query}`)).body.items;
  const actions = async (query: string, who: Person = admin) =>
    (await trail(query, who)).map(({ action }) => action as string);
  const newCustomer = () => send('POST /api/customers', { number: randomUUID(), name: 'Acme' });

  test('says who did what to what, when, and how it was before', async () => {
    const before = Date.now();
    const customer = await newCustomer();
    await send(`PATCH /api/customers/${customer.id}`, { name: 'Acme AG', deviceLimit: 3 });
    const [updated, created] = await trail(`subject=${customer.id}`);
    expect(created).toMatchObject({ action: 'customer.created', changes: null });
    expect(updated).toEqual({
      id: expect.any(String),
      at: expect.any(Number),
      actor: { kind: 'user', id: admin.principal.userId },
      action: 'customer.updated',
      subject: { kind: 'customer', id: customer.id, name: 'Acme AG' },
      customer: customer.id,
      changes: { name: { from: 'Acme', to: 'Acme AG' }, deviceLimit: { from: null, to: 3 } },
    });
    expect(updated?.['at']).toBeGreaterThanOrEqual(before);
  });

  test('has every change of customers, profiles, assets, relations, shares and devices, and none that changed nothing', async () => {
    const operator = person('operator', (await newCustomer()).id);
    const customer = operator.principal.customerId;
    const kinds = { 'device-profile': 'device-profiles', 'asset-profile': 'asset-profiles' };
    for (const [subject, path] of Object.entries(kinds)) {
      const profile = await send(`POST /api/${path}`, { name: randomUUID() });
      await send(`PATCH /api/${path}/${profile.id}`, { attributes: { a: 1 } });
      await send(`PATCH /api/${path}/${profile.id}`, { attributes: { a: 1 } });
      await send(`DELETE /api/${path}/${profile.id}`);
      expect(await actions(`subject=${profile.id}`)).toEqual([
        `${subject}.deleted`,
        `${subject}.updated`,
        `${subject}.created`,
      ]);
    }
    const { id: profile } = await send('POST /api/asset-profiles', { name: randomUUID() });
    const asset = await send('POST /api/assets', { name: 'House', profile }, operator);
    const device = await send('POST /api/devices', { name: 'Boiler' }, operator);
    const relation = await send('POST /api/relations', { from: asset.id, to: device.id }, operator);
    for (const change of [{ name: 'Home' }, { name: 'Home' }, {}]) {
      await send(`PATCH /api/assets/${asset.id}`, change, operator);
      await send(`PATCH /api/devices/${device.id}`, change, operator);
    }
    const user = randomUUID();
    for (const access of ['read', 'read', 'write']) {
      await send(`PUT /api/devices/${device.id}/shares`, { user, access }, operator);
    }
    await send(`DELETE /api/devices/${device.id}/shares/${user}`, undefined, operator);
    await send(`PATCH /api/devices/${device.id}`, { owner: user }, operator);
    await send(`POST /api/devices/${device.id}/release`, undefined, operator);
    await send(`POST /api/devices/${device.id}/release`, undefined, operator);
    await send(`DELETE /api/devices/${device.id}`, undefined, operator);
    await send(`DELETE /api/assets/${asset.id}`, undefined, operator);
    expect(await actions(`customer=${customer}&actor=${operator.principal.userId}`)).toEqual(
      [
        'asset.created',
        'device.created',
        'relation.created',
        'asset.updated',
        'device.updated',
        'device.shared',
        'device.shared',
        'device.unshared',
        'device.updated',
        'device.released',
        'relation.deleted',
        'device.deleted',
        'asset.deleted',
      ].reverse(),
    );
    const [ended, made] = await trail(`subject=${relation.id}`);
    expect(made).toMatchObject({ changes: { from: { to: asset.id }, to: { to: device.id } } });
    expect(ended).toMatchObject({ changes: { from: { from: asset.id }, to: { from: device.id } } });
    const [unshared, written, read] = (await trail(`subject=${device.id}`)).filter(({ action }) =>
      String(action).includes('shared'),
    );
    expect([unshared, written, read].map((entry) => entry?.['changes'])).toEqual([
      { share: { from: { user, access: 'write' }, to: null } },
      { share: { from: { user, access: 'read' }, to: { user, access: 'write' } } },
      { share: { from: null, to: { user, access: 'read' } } },
    ]);
    const [given] = await trail(`subject=${device.id}&action=device.updated`);
    expect(given?.['changes']).toEqual({ owner: { from: null, to: user } });
  });

  test('has nothing of a change that was refused', async () => {
    const customer = await newCustomer();
    await registry.call(admin, `PATCH /api/customers/${customer.id}`, {
      body: { name: 'B' },
      headers: { 'If-Match': '"9"' },
    });
    await send('POST /api/devices', { name: 'D', customer: customer.id, macAddress: 'AA:BB:CC' });
    await registry.call(admin, 'POST /api/devices', {
      body: { name: 'E', customer: customer.id, macAddress: 'AABBCC' },
    });
    await registry.call(admin, `DELETE /api/customers/${customer.id}`);
    expect(await actions(`customer=${customer.id}`)).toEqual(['device.created', 'customer.created']);
  });

  test('outlives what it is about', async () => {
    const customer = await newCustomer();
    await send(`DELETE /api/customers/${customer.id}`);
    expect(await actions(`customer=${customer.id}`)).toEqual(['customer.deleted', 'customer.created']);
  });

  test('is an operator’s as far as their customer is concerned, and not for users', async () => {
    const [one, other] = [await newCustomer(), await newCustomer()];
    const operator = person('operator', one.id);
    expect(await actions('', operator)).toEqual(['customer.created']);
    expect(await actions(`customer=${other.id}`, operator)).toEqual([]);
    expect(await actions(`subject=${other.id}`, operator)).toEqual([]);
    expect(await actions('', person('operator'))).toEqual([]);
    expect((await registry.call(person('user', one.id), 'GET /api/audit')).body).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    expect((await registry.call(undefined, 'GET /api/audit')).status).toBe(401);
  });

  test('is narrowed by time, read newest first, page by page, whatever is added meanwhile', async () => {
    const { id } = await newCustomer();
    const names = ['b', 'c', 'd', 'e', 'f'];
    for (const name of names) await send(`PATCH /api/customers/${id}`, { name });
    const whole = await trail(`subject=${id}`);
    expect(whole.map(({ subject }) => (subject as Json).name)).toEqual([...names].reverse().concat('Acme'));
    const read: Json[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await registry.call(
        admin,
        `GET /api/audit?subject=${id}&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      read.push(...body.items);
      cursor = body.nextCursor;
      await send(`PATCH /api/customers/${id}`, { name: randomUUID() });
    }
    expect(read).toEqual(whole);
    const [newest, oldest] = [Number(whole[0]?.['at']), Number(whole.at(-1)?.['at'])];
    expect(await trail(`subject=${id}&from=${String(oldest)}&to=${String(newest + 1)}`)).toEqual(
      expect.arrayContaining(whole),
    );
    expect(await trail(`subject=${id}&to=${String(oldest)}`)).toEqual([]);
    expect(await trail(`subject=${id}&from=${String(Date.now() + 60_000)}`)).toEqual([]);
  });

  test.each([
    'customer=1',
    'subject=x',
    'actor=',
    'action=',
    'from=yesterday',
    'from=-1',
    `to=${String(2 ** 48)}`,
    'limit=0',
    'cursor=x',
    'sort=at',
    'unknown=1',
  ])('refuses %s', async (query) => {
    expect((await registry.call(admin, `GET /api/audit?${query}`)).body).toMatchObject({
      status: 422,
      code: 'INVALID_INPUT',
    });
  });

  test.each([`' OR '1'='1`, '%', '\\', '{"$gt":""}'])('finds nothing for %j', async (evil) => {
    const text = encodeURIComponent(evil);
    expect([await trail(`actor=${text}`), await trail(`action=${text}`)]).toEqual([[], []]);
  });

  test('has no secret in it', async () => {
    const device = await send('POST /api/devices', { name: 'D' });
    const { accessToken } = await send(`POST /api/devices/${device.id}/credentials`);
    expect(accessToken).toEqual(expect.any(String));
    expect(JSON.stringify(await trail('limit=1000'))).not.toContain(accessToken);
  });
}
