import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import { person, startRegistry, type Json, type Person, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of single devices, over HTTP. */
export function devicesSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newCustomer = async (deviceLimit: number | null = null): Promise<string> => {
    const body = { number: randomUUID(), name: 'Acme', deviceLimit };
    return (await registry.call(admin, 'POST /api/customers', { body })).body.id;
  };
  const create = (document: object, who: Person = admin) =>
    registry.call(who, 'POST /api/devices', { body: { name: 'Device', ...document } });
  const newDevice = async (document: object, who: Person = admin): Promise<Json> => {
    const reply = await create(document, who);
    expect(reply.body).toMatchObject({ id: expect.any(String) });
    return reply.body;
  };
  const patch = (id: string, body: object, headers: Record<string, string> = {}, who: Person = admin) =>
    registry.call(who, `PATCH /api/devices/${id}`, { body, headers });
  const countOf = async (customer: string): Promise<number> =>
    (await registry.call(admin, `GET /api/customers/${customer}`)).body.deviceCount;

  test('are made with everything that somebody says of them', async () => {
    const customer = await newCustomer();
    const gateway = await newDevice({ kind: 'gateway', customer });
    const reply = await create({
      name: 'Boiler 😀',
      kind: 'agent',
      macAddress: 'ce-13-14-15',
      serial: 'SN 1',
      customer,
      master: gateway.id,
      labels: ['cellar', 'hot', 'cellar'],
      attributes: { floor: -1, maker: { name: 'Ä', tags: [1, null, true] } },
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('etag')).toBe('"1"');
    expect(reply.body).toEqual({
      profile: null,
      state: 'created',
      activatedAt: null,
      enabled: true,
      id: expect.any(String),
      name: 'Boiler 😀',
      kind: 'agent',
      macAddress: 'CE:13:14:15',
      serial: 'SN 1',
      customer,
      owner: null,
      master: gateway.id,
      labels: ['cellar', 'hot'],
      attributes: { floor: -1, maker: { name: 'Ä', tags: [1, null, true] } },
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
      version: 1,
    });
    const read = await registry.call(admin, `GET /api/devices/${reply.body.id}`);
    expect(read.body).toEqual(reply.body);
    expect(read.headers.get('etag')).toBe('"1"');
    expect(await countOf(customer)).toBe(2);
  });

  test('need only a name', async () => {
    expect(await newDevice({})).toMatchObject({
      kind: 'direct',
      macAddress: null,
      serial: null,
      customer: null,
      owner: null,
      master: null,
      labels: [],
      attributes: {},
    });
  });

  const deep = JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)) as object;
  test.each<[string, object]>([
    ['/name', { name: '' }],
    ['/name', { name: 'x'.repeat(129) }],
    ['/name', { name: 'two\nlines' }],
    ['/name', { name: 'half \ud800' }],
    ['/name', { name: null }],
    ['/kind', { kind: 'broker' }],
    ['/macAddress', { macAddress: 'CE:1' }],
    ['/macAddress', { macAddress: "CE' OR '1'='1" }],
    ['/macAddress', { macAddress: { $ne: null } }],
    ['/serial', { serial: 'x'.repeat(129) }],
    ['/customer', { customer: 'acme' }],
    ['/customer', { customer: randomUUID() }],
    ['/profile', { profile: randomUUID() }],
    ['/profile', { profile: 'Nothing like it' }],
    ['/profile', { profile: 1 }],
    ['/enabled', { enabled: 'no' }],
    ['/master', { master: randomUUID() }],
    ['/labels/0', { labels: ['x'.repeat(65)] }],
    ['/labels', { labels: Array.from({ length: 33 }, (_, i) => String(i)) }],
    ['/attributes', { attributes: [] }],
    ['/attributes', { attributes: { a: 'x'.repeat(16_384) } }],
    ['/attributes', { attributes: deep }],
    ['/attributes', { attributes: { a: '\ud800' } }],
  ])('are refused with a wrong %s, made or changed', async (path, document) => {
    const made = await create(document);
    expect(made.body).toMatchObject({ status: 422, code: 'INVALID_INPUT', errors: [{ path }] });
    const { id } = await newDevice({});
    const changed = await patch(id, document);
    expect(changed.status).toBe(422);
    expect((await registry.call(admin, `GET /api/devices/${id}`)).body.version).toBe(1);
  });

  test.each(['profile', 'owner', 'id', 'version', '__proto__'])('are refused with the field %s', async (field) => {
    const body = JSON.parse(`{"name":"D","${field}":{"a":1}}`) as object;
    const reply = await registry.call(admin, 'POST /api/devices', { body });
    expect([reply.status, reply.body.name]).toEqual(field === '__proto__' ? [201, 'D'] : [422, undefined]);
  });

  test('take the number of a customer and the name of a profile in any case, and answer ids', async () => {
    const number = `n-${randomUUID()}`;
    const customer = (await registry.call(admin, 'POST /api/customers', { body: { number, name: 'Acme' } })).body.id;
    const name = `Boiler ${randomUUID()}`;
    const profile = (await registry.call(admin, 'POST /api/device-profiles', { body: { name } })).body.id;
    const made = await newDevice({ customer: number, profile: name.toUpperCase() });
    expect(made).toMatchObject({ customer, profile });
    const other = await newDevice({});
    expect((await patch(other.id, { customer: number, profile: name })).body).toMatchObject({ customer, profile });
    expect((await patch(other.id, { name: 'Other' })).body).toMatchObject({ customer, profile });
    expect((await patch(other.id, { customer: null, profile: null })).body).toMatchObject({
      customer: null,
      profile: null,
    });
    const operator = person('operator', await newCustomer());
    const words = async (reference: string) =>
      (await create({ customer: reference }, operator)).body.detail.replaceAll(reference, 'it');
    expect(new Set([await words(number), await words(customer), await words('no such number')]).size).toBe(1);
    expect(await newDevice({ profile: name }, person('user'))).toMatchObject({ profile });
  });

  test('that are switched off are refused and disconnected, and taken again when they are switched on', async () => {
    const { id } = await newDevice({});
    const { accessToken } = (await registry.call(admin, `POST /api/devices/${id}/credentials`)).body;
    const verify = () => registry.rpc.call('registry.credentials.verify', { kind: 'token', token: accessToken });
    expect((await verify()).device.id).toBe(id);
    expect((await patch(id, { enabled: false })).body.enabled).toBe(false);
    await waitUntil(
      () =>
        registry
          .heard('registry.credentials.revoked')
          .some(({ deviceId, credentialId }) => deviceId === id && credentialId === null),
      { what: 'its connections are ended' },
    );
    await expect(verify()).rejects.toMatchObject({ code: 'DEVICE_DISABLED' });
    expect((await registry.call(admin, `GET /api/devices/${id}`)).body).toMatchObject({ enabled: false, version: 2 });
    await patch(id, { enabled: true });
    expect((await verify()).device.id).toBe(id);
  });

  test('may not name a master that is no gateway, themselves, or behind them', async () => {
    const direct = await newDevice({});
    expect((await create({ master: direct.id })).body).toMatchObject({ status: 422, errors: [{ path: '/master' }] });
    const top = await newDevice({ kind: 'master' });
    const below = await newDevice({ kind: 'gateway', master: top.id });
    expect((await patch(top.id, { master: top.id })).body.errors).toMatchObject([{ path: '/master' }]);
    expect((await patch(top.id, { master: below.id })).body.errors).toMatchObject([{ path: '/master' }]);
  });

  test('have names of their own behind one gateway', async () => {
    const { id: master } = await newDevice({ kind: 'gateway' });
    await newDevice({ name: 'Pump', master });
    expect((await create({ name: 'Pump', master })).body).toMatchObject({ status: 409, code: 'CONFLICT' });
    await newDevice({ name: 'Pump' });
  });

  test('are one for each MAC address of a customer, and of those without a customer, in any notation', async () => {
    const customer = await newCustomer();
    for (const scope of [{ customer }, {}]) {
      await newDevice({ macAddress: 'AA:00:01', ...scope });
      const taken = await create({ macAddress: 'aa-00-01', ...scope });
      expect(taken.body).toMatchObject({ status: 409, code: 'MAC_TAKEN' });
      const other = await newDevice(scope);
      expect((await patch(other.id, { macAddress: 'aa0001' })).body.code).toBe('MAC_TAKEN');
    }
    expect(await countOf(customer)).toBe(2);
  });

  test('fifty at once with one MAC address are one, with or without a customer', async () => {
    const customer = await newCustomer();
    for (const scope of [{ customer }, {}]) {
      const replies = await Promise.all(Array.from({ length: 50 }, () => create({ macAddress: 'F0:F0:01', ...scope })));
      expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(replies.filter(({ body }) => body.code === 'MAC_TAKEN')).toHaveLength(49);
    }
    expect(await countOf(customer)).toBe(1);
  });

  test('fifty at once never exceed the limit of their customer', async () => {
    const customer = await newCustomer(7);
    const replies = await Promise.all(Array.from({ length: 50 }, () => create({ customer })));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(7);
    expect(replies.filter(({ body }) => body.code === 'DEVICE_LIMIT_REACHED')).toHaveLength(43);
    const { items } = (await registry.call(admin, `GET /api/devices?customer=${customer}`)).body;
    expect([items.length, await countOf(customer)]).toEqual([7, 7]);
  });

  test('that move to and fro at once leave both counts right', async () => {
    const [one, other] = [await newCustomer(), await newCustomer(12)];
    const devices = await Promise.all(
      Array.from({ length: 20 }, (_, i) => newDevice({ customer: i < 10 ? one : other })),
    );
    const moves = devices.map(({ id }, i) => patch(id, { customer: i < 10 ? other : one }));
    await Promise.all([
      ...moves,
      ...devices.slice(5, 15).map(({ id }) => registry.call(admin, `DELETE /api/devices/${id}`)),
    ]);
    for (const customer of [one, other]) {
      const { items } = (await registry.call(admin, `GET /api/devices?customer=${customer}`)).body;
      expect(await countOf(customer)).toBe(items.length);
    }
    expect(await countOf(other)).toBeLessThanOrEqual(12);
  });

  test('leave the counts as they were when a move is refused', async () => {
    const [one, full] = [await newCustomer(), await newCustomer(0)];
    const { id } = await newDevice({ customer: one });
    expect((await patch(id, { customer: full })).body.code).toBe('DEVICE_LIMIT_REACHED');
    expect([await countOf(one), await countOf(full)]).toEqual([1, 0]);
    expect((await patch(id, { customer: null })).body.customer).toBeNull();
    expect(await countOf(one)).toBe(0);
  });

  test('are changed as JSON merge patch', async () => {
    const device = await newDevice({ serial: 'S', labels: ['a'], attributes: { a: { b: 1, c: 2 }, d: [1] } });
    const changed = await patch(device.id, {
      serial: null,
      labels: null,
      attributes: { a: { b: null, e: 3 }, d: [2] },
    });
    expect(changed.body).toMatchObject({
      serial: null,
      labels: [],
      attributes: { a: { c: 2, e: 3 }, d: [2] },
      version: 2,
    });
    expect(changed.headers.get('etag')).toBe('"2"');
    const cleared = await patch(device.id, { attributes: null }, { 'Content-Type': 'application/merge-patch+json' });
    expect(cleared.body).toMatchObject({ name: 'Device', attributes: {}, version: 3 });
  });

  test('keep every one of fifty changes at once', async () => {
    const { id } = await newDevice({});
    await Promise.all(Array.from({ length: 50 }, (_, i) => patch(id, { attributes: { [`k${String(i)}`]: i } })));
    const { body } = await registry.call(admin, `GET /api/devices/${id}`);
    expect([Object.keys(body.attributes).length, body.version]).toEqual([50, 51]);
  });

  test('are changed and deleted only in the version that If-Match names', async () => {
    const { id } = await newDevice({});
    expect((await patch(id, { name: 'B' }, { 'If-Match': '"1"' })).status).toBe(200);
    expect((await patch(id, { name: 'C' }, { 'If-Match': '"1"' })).body).toMatchObject({
      status: 412,
      code: 'VERSION_MISMATCH',
    });
    expect((await registry.call(admin, `DELETE /api/devices/${id}`, { headers: { 'If-Match': '"1"' } })).status).toBe(
      412,
    );
    expect((await registry.call(admin, `DELETE /api/devices/${id}`, { headers: { 'If-Match': '"2"' } })).status).toBe(
      204,
    );
  });

  test('cannot be deleted, nor become something else, while devices are behind them', async () => {
    const { id: master } = await newDevice({ kind: 'gateway' });
    const { id } = await newDevice({ master });
    expect((await registry.call(admin, `DELETE /api/devices/${master}`)).body).toMatchObject({
      status: 409,
      code: 'DEVICE_IN_USE',
    });
    expect((await patch(master, { kind: 'direct' })).body.code).toBe('DEVICE_IN_USE');
    expect((await patch(id, { master: null })).body.master).toBeNull();
    expect((await registry.call(admin, `DELETE /api/devices/${master}`)).status).toBe(204);
  });

  test('are told to the other services when they change', async () => {
    const { id } = await newDevice({ name: 'Told' });
    await patch(id, { name: 'Told again' });
    await registry.call(admin, `DELETE /api/devices/${id}`);
    const changes = () => registry.heard('registry.device.changed').filter(({ device }) => device.id === id);
    await waitUntil(() => changes().length === 3, { what: 'three events are heard' });
    expect(changes().map(({ change, device }) => [change, device.name])).toEqual([
      ['created', 'Told'],
      ['updated', 'Told again'],
      ['deleted', 'Told again'],
    ]);
    expect(registry.heard('registry.credentials.revoked')).toContainEqual({ deviceId: id, credentialId: null });
  });

  test('of others are not there, whoever asks for them in whatever way', async () => {
    const [mine, other] = [await newCustomer(), await newCustomer()];
    const operator = person('operator', mine);
    const user = person('user', mine);
    const foreign = await newDevice({ customer: other });
    const nobodys = await newDevice({});
    for (const who of [operator, user, person('operator'), person('user')]) {
      for (const { id } of [foreign, nobodys, { id: randomUUID() }]) {
        const replies = [
          await registry.call(who, `GET /api/devices/${id}`),
          await patch(id, { name: 'Mine' }, {}, who),
          await registry.call(who, `DELETE /api/devices/${id}`),
          await registry.call(who, `GET /api/devices/${id}/credentials`),
          await registry.call(who, `POST /api/devices/${id}/credentials`),
        ];
        for (const { body } of replies) {
          expect(body).toMatchObject({
            status: 404,
            code: 'NOT_FOUND',
            detail: `There is no device ${id} among those you may see.`,
          });
        }
      }
      const listed = await registry.call(who, `GET /api/devices?customer=${other}`);
      expect(listed.body.items).toEqual([]);
    }
    expect((await registry.call(undefined, `GET /api/devices/${foreign.id}`)).status).toBe(401);
  });

  test('of an operator are those of their customer', async () => {
    const [mine, other] = [await newCustomer(), await newCustomer()];
    const operator = person('operator', mine);
    const device = await newDevice({}, operator);
    expect(device).toMatchObject({ customer: mine, owner: null });
    for (const customer of [other, null]) {
      expect((await create({ customer }, operator)).body.errors).toMatchObject([{ path: '/customer' }]);
      expect((await patch(device.id, { customer }, {}, operator)).body.errors).toMatchObject([{ path: '/customer' }]);
    }
    const foreign = await newDevice({ kind: 'gateway', customer: other });
    expect((await create({ master: foreign.id }, operator)).body.errors).toMatchObject([{ path: '/master' }]);
    expect((await create({}, person('operator'))).body.errors).toMatchObject([{ path: '/customer' }]);
    expect((await patch(device.id, { name: 'Renamed' }, {}, operator)).status).toBe(200);
    expect((await registry.call(operator, `DELETE /api/devices/${device.id}`)).status).toBe(204);
  });

  test('of a user are those that they made', async () => {
    const [mine, other] = [await newCustomer(), await newCustomer()];
    const user = person('user', mine);
    const device = await newDevice({}, user);
    expect(device).toMatchObject({ customer: mine, owner: user.principal.userId });
    expect(await newDevice({ customer: null }, user)).toMatchObject({ customer: null, owner: user.principal.userId });
    expect((await create({ customer: other }, user)).body.errors).toMatchObject([{ path: '/customer' }]);
    expect((await registry.call(person('user', mine), `GET /api/devices/${device.id}`)).status).toBe(404);
    expect((await registry.call(person('operator', mine), `GET /api/devices/${device.id}`)).status).toBe(200);
    await patch(device.id, { customer: other });
    expect((await patch(device.id, { name: 'Still mine' }, {}, user)).body).toMatchObject({ customer: other });
    expect((await registry.call(user, `DELETE /api/devices/${device.id}`)).status).toBe(204);
  });

  test('have ids that are checked', async () => {
    for (const id of ['1', '%27', randomUUID().slice(1), "x'%20OR%20'1'='1"]) {
      expect((await registry.call(admin, `GET /api/devices/${id}`)).status).toBe(422);
    }
  });
}
