import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import {
  person,
  startRegistry,
  NOBODY,
  USERS_BY_EMAIL,
  type Json,
  type Person,
  type Sent,
  type StartedRegistry,
} from './started-registry.ts';

/** What the registry promises of who has what of a device, over HTTP and to other services. */
export function peopleSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  let customer: string;
  let operator: Person;
  beforeAll(async () => {
    registry = await startRegistry(await database());
    const { body } = await registry.call(admin, 'POST /api/customers', { body: { number: '1', name: 'Acme' } });
    customer = body.id;
    operator = person('operator', customer);
  });
  afterAll(() => registry.stop());

  const newDevice = async (who: Person, document: object = {}): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: { name: 'Device', ...document } })).body;
  const put = (who: Person, id: string, body: object) => registry.call(who, `PUT /api/devices/${id}/shares`, { body });
  const share = async (owner: Person, id: string, other: Person, access: 'read' | 'write') => {
    expect((await put(owner, id, { user: other.principal.userId, access })).status).toBe(200);
  };
  const shares = async (id: string, who: Person = admin) =>
    (await registry.call(who, `GET /api/devices/${id}/shares`)).body.items.map(({ user, access }) => ({
      user,
      access,
    }));
  const statusOf = async (who: Person, request: `${string} /${string}`, sent?: Sent) =>
    (await registry.call(who, request, sent)).status;
  const listed = async (who: Person) =>
    (await registry.call(who, 'GET /api/devices')).body.items.map(({ id }: Json) => id);
  const may = async (who: Person, device: string): Promise<string> => {
    const allowed: string[] = [];
    for (const action of ['read', 'write', 'manage'] as const) {
      await registry.rpc.call('registry.devices.authorize', { principal: who.principal, device, action }).then(
        () => allowed.push(action),
        () => undefined,
      );
    }
    return allowed.join(' ');
  };

  test('a device that is shared is seen by the other, who may read it, or also send for it, and never manage it', async () => {
    const [owner, friend] = [person('user', customer), person('user')];
    const { id } = await newDevice(owner);
    const one = `/api/devices/${id}` as const;
    expect([await statusOf(friend, `GET ${one}`), await may(friend, id)]).toEqual([404, '']);
    await share(owner, id, friend, 'read');
    expect([await statusOf(friend, `GET ${one}`), await may(friend, id)]).toEqual([200, 'read']);
    expect(await listed(friend)).toEqual([id]);
    await share(owner, id, friend, 'write');
    expect(await may(friend, id)).toBe('read write');
    expect(await shares(id, owner)).toEqual([
      { user: owner.principal.userId, access: 'owner' },
      { user: friend.principal.userId, access: 'write' },
    ]);
    for (const [request, body] of [
      [`PATCH ${one}`, { name: 'Mine' }],
      [`DELETE ${one}`, undefined],
      [`GET ${one}/shares`, undefined],
      [`PUT ${one}/shares`, { user: randomUUID(), access: 'read' }],
      [`DELETE ${one}/shares/${owner.principal.userId}`, undefined],
      [`POST ${one}/release`, undefined],
    ] as const) {
      const reply = await registry.call(friend, request, { body });
      expect({ request, body: reply.body }).toMatchObject({ request, body: { status: 403, code: 'FORBIDDEN' } });
    }
    for (const request of [`GET ${one}/credentials`, `POST ${one}/credentials`] as const) {
      expect([403, 404]).toContain(await statusOf(friend, request));
    }
    expect(await statusOf(owner, `DELETE ${one}/shares/${friend.principal.userId}`)).toBe(204);
    expect([await statusOf(friend, `GET ${one}`), await may(friend, id), await listed(friend)]).toEqual([404, '', []]);
    expect(await statusOf(owner, `DELETE ${one}/shares/${friend.principal.userId}`)).toBe(404);
  });

  test('an email address in any case names somebody to share with, if they have signed up', async () => {
    const [owner, friend] = [person('user'), person('user')];
    const { id } = await newDevice(owner);
    USERS_BY_EMAIL.set('friend@example.com', friend.principal.userId);
    const reply = await put(owner, id, { email: 'Friend@Example.com', access: 'read' });
    expect(reply.body).toEqual({ user: friend.principal.userId, access: 'read', createdAt: expect.any(Number) });
    expect((await put(owner, id, { email: 'nobody@example.com', access: 'read' })).body).toMatchObject({
      status: 404,
      code: 'USER_NOT_FOUND',
    });
    expect((await put(owner, id, { user: NOBODY, access: 'read' })).body.code).toBe('USER_NOT_FOUND');
    const stranger = await put(person('user'), id, { email: 'friend@example.com', access: 'read' });
    expect(stranger.body.code).toBe('NOT_FOUND');
  });

  test.each<[string, object]>([
    ['/user', {}],
    ['/user', { user: randomUUID(), email: 'a@example.com' }],
    ['/user', { user: 'x' }],
    ['/email', { email: 'x' }],
    ['/access', { user: randomUUID(), access: 'owner' }],
    ['/access', { user: randomUUID(), access: 'manage' }],
    ['/unknown', { user: randomUUID(), unknown: 1 }],
  ])('sharing is refused with a wrong %s', async (path, body) => {
    const owner = person('user');
    const { id } = await newDevice(owner);
    expect((await put(owner, id, { access: 'read', ...body })).body).toMatchObject({ status: 422, errors: [{ path }] });
  });

  test('nobody shares a device with its owner, nor ends the ownership like a share', async () => {
    const owner = person('user', customer);
    const { id } = await newDevice(owner);
    const { userId } = owner.principal;
    expect((await put(operator, id, { user: userId, access: 'read' })).body.errors).toMatchObject([{ path: '/user' }]);
    const ended = await registry.call(operator, `DELETE /api/devices/${id}/shares/${userId}`);
    expect(ended.body).toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('/release') });
    expect(await shares(id)).toEqual([{ user: userId, access: 'owner' }]);
  });

  test('everybody may end what was shared with themselves; operators and administrators, every share', async () => {
    const [owner, friend, other] = [person('user', customer), person('user'), person('user')];
    const { id } = await newDevice(owner);
    const end = (who: Person, whose: Person) =>
      statusOf(who, `DELETE /api/devices/${id}/shares/${whose.principal.userId}`);
    for (const who of [friend, other]) await share(operator, id, who, 'write');
    expect(await end(friend, other)).toBe(403);
    expect(await end(friend, friend)).toBe(204);
    expect(await end(friend, friend)).toBe(404);
    expect(await end(operator, other)).toBe(204);
    expect(await shares(id)).toHaveLength(1);
  });

  test('fifty at once share a device with one person once', async () => {
    const [owner, friend] = [person('user'), person('user')];
    const { id } = await newDevice(owner);
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        put(owner, id, { user: friend.principal.userId, access: i % 2 === 0 ? 'read' : 'write' }),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(await shares(id)).toHaveLength(2);
  });

  test('a device is shared with a hundred, and then with no more', async () => {
    const owner = person('user');
    const { id } = await newDevice(owner);
    const replies = await Promise.all(
      Array.from({ length: 103 }, () => put(owner, id, { user: randomUUID(), access: 'read' })),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(100);
    expect(replies.filter(({ body }) => body.code === 'CONFLICT')).toHaveLength(3);
  });

  test('caches hear of a share, of its end and of a release, and not of what changes nothing', async () => {
    const [owner, friend] = [person('user'), person('user')];
    const { id } = await newDevice(owner);
    const told = () => registry.heard('registry.device.changed').filter(({ device }) => device.id === id).length;
    await waitUntil(() => told() === 1, { what: 'the device is told of' });
    await share(owner, id, friend, 'read');
    await share(owner, id, friend, 'read');
    await waitUntil(() => told() === 2, { what: 'the share is told of' });
    await registry.call(owner, `DELETE /api/devices/${id}/shares/${friend.principal.userId}`);
    await waitUntil(() => told() === 3, { what: 'its end is told of' });
    await registry.call(owner, `POST /api/devices/${id}/release`);
    await waitUntil(() => told() === 4, { what: 'the release is told of' });
  });

  test('a device that is released has no owner and no shares, and keeps everything else', async () => {
    const [owner, friend] = [person('user', customer), person('user')];
    const device = await newDevice(owner, { labels: ['a'], serial: 'S' });
    await share(owner, device.id, friend, 'write');
    expect(await statusOf(owner, `POST /api/devices/${device.id}/release`)).toBe(204);
    const { body } = await registry.call(admin, `GET /api/devices/${device.id}`);
    expect(body).toEqual({ ...device, owner: null, version: 2, updatedAt: expect.any(Number) });
    expect(await shares(device.id)).toEqual([]);
    for (const who of [owner, friend]) expect([await listed(who), await may(who, device.id)]).toEqual([[], '']);
    expect(await statusOf(owner, `POST /api/devices/${device.id}/release`)).toBe(404);
    expect(await statusOf(operator, `POST /api/devices/${device.id}/release`)).toBe(204);
  });

  test('a default gateway that is released is nobody’s, and its user gets another one', async () => {
    const user = person('user', customer);
    const ask = () =>
      registry.rpc.call('registry.devices.defaultGateway', { userId: user.principal.userId, customerId: customer });
    const first = await ask();
    await registry.call(user, `POST /api/devices/${first.id}/release`);
    const second = await ask();
    expect([second.id === first.id, await listed(user)]).toEqual([false, [second.id]]);
  });

  test('an operator or administrator gives a device to somebody, or takes it; a user does not', async () => {
    const [one, other] = [person('user', customer), person('user', customer)];
    const { id } = await newDevice(one);
    const give = (who: Person, owner: string | null) =>
      registry.call(who, `PATCH /api/devices/${id}`, { body: { owner } });
    expect((await give(one, other.principal.userId)).body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect((await give(one, one.principal.userId)).status).toBe(200);
    await share(one, id, other, 'read');
    expect((await give(operator, other.principal.userId)).body.owner).toBe(other.principal.userId);
    expect(await shares(id)).toEqual([{ user: other.principal.userId, access: 'owner' }]);
    expect([await listed(one), await listed(other), await may(other, id)]).toEqual([[], [id], 'read write manage']);
    expect((await give(admin, null)).body.owner).toBeNull();
    expect([await listed(other), await shares(id)]).toEqual([[], []]);
    expect((await give(admin, 'nobody')).body.status).toBe(422);
    expect((await give(admin, NOBODY)).body).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    expect((await give(person('operator', randomUUID()), null)).status).toBe(404);
  });

  test('a user who goes leaves nothing: no devices, no default gateway, no shares, however many', async () => {
    const [gone, friend] = [person('user', customer), person('user')];
    const { userId } = gone.principal;
    const gateway = await registry.rpc.call('registry.devices.defaultGateway', { userId, customerId: customer });
    const own = await Promise.all(Array.from({ length: 120 }, () => newDevice(gone)));
    await share(gone, own[0]?.id ?? '', friend, 'read');
    const shared = await newDevice(friend);
    await share(friend, shared.id, gone, 'write');
    expect(await registry.rpc.call('registry.people.forget', { userId })).toEqual({});
    expect(await registry.rpc.call('registry.people.forget', { userId })).toEqual({});
    expect([await listed(gone), await listed(friend)]).toEqual([[], [shared.id]]);
    expect(await shares(own[0]?.id ?? '')).toEqual([]);
    expect(await shares(shared.id)).toEqual([{ user: friend.principal.userId, access: 'owner' }]);
    const again = await registry.rpc.call('registry.devices.defaultGateway', { userId, customerId: customer });
    expect(again.id).not.toBe(gateway.id);
    const { body } = await registry.call(admin, `GET /api/audit?subject=${own[0]?.id ?? ''}&action=device.released`);
    expect(body.items).toMatchObject([
      { actor: { kind: 'system', id: null }, changes: { owner: { from: userId, to: null } } },
    ]);
  });

  test('what is not theirs is not there for anybody', async () => {
    const { id } = await newDevice(person('user'));
    for (const who of [person('user'), operator, person('operator', randomUUID())]) {
      for (const [request, body] of [
        [`GET /api/devices/${id}/shares`, undefined],
        [`PUT /api/devices/${id}/shares`, { user: who.principal.userId, access: 'write' }],
        [`DELETE /api/devices/${id}/shares/${who.principal.userId}`, undefined],
        [`POST /api/devices/${id}/release`, undefined],
      ] as const) {
        const reply = await registry.call(who, request, { body });
        expect(reply.body).toMatchObject({
          status: 404,
          detail: `There is no device ${id} among those you may see.`,
        });
      }
    }
    expect((await registry.call(undefined, `GET /api/devices/${id}/shares`)).status).toBe(401);
  });
}
