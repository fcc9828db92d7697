import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { waitUntil } from '#testing';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { CredentialEntity } from '../src/credentials/credential.entity.ts';
import { deviceJwtKey, DeviceJwts } from '../src/credentials/device-jwts.ts';
import { person, SECRET_KEY, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** What the registry promises of devices' access tokens, over HTTP and to the other services. */
export function credentialsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newDevice = async (document: object = {}, who = admin): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: { name: 'Device', ...document } })).body;
  const issue = (id: string, who = admin) => registry.call(who, `POST /api/devices/${id}/credentials`);
  const list = async (id: string): Promise<Json[]> =>
    (await registry.call(admin, `GET /api/devices/${id}/credentials`)).body.items;
  const verify = (token: string) => registry.rpc.call('registry.credentials.verify', { kind: 'token', token });
  const verifyPassword = (userName: string, password: string) =>
    registry.rpc.call('registry.credentials.verify', { kind: 'password', userName, password });
  const issueOf = async (id: string, body: object): Promise<Json> =>
    (await registry.call(admin, `POST /api/devices/${id}/credentials`, { body })).body;
  const rotate = async (id: string, credential: string, overlapSeconds: number): Promise<Json> =>
    (
      await registry.call(admin, `POST /api/devices/${id}/credentials/${credential}/rotate`, {
        body: { overlapSeconds },
      })
    ).body;
  const trail = (subjectId: string) => registry.dataSource.manager.findBy(AuditEntryEntity, { subjectId });
  const isRevoked = (deviceId: string, credentialId: string) =>
    registry
      .heard('registry.credentials.revoked')
      .some((event) => event.deviceId === deviceId && event.credentialId === credentialId);

  test('are shown once, listed without their secret, and say whose they are', async () => {
    const device = await newDevice({ kind: 'gateway' });
    const issued = await issue(device.id);
    expect(issued.status).toBe(201);
    const { id, accessToken } = issued.body;
    expect(issued.body).toEqual({
      id: expect.any(String),
      kind: 'access-token',
      accessToken: expect.stringMatching(/^[\w-]{32}$/),
    });
    expect(await list(device.id)).toEqual([
      {
        id,
        kind: 'access-token',
        userName: null,
        clientId: null,
        fingerprint: null,
        pending: false,
        createdAt: expect.any(Number),
        expiresAt: null,
      },
    ]);
    expect(await verify(accessToken)).toEqual({
      kind: 'device',
      credentialId: id,
      expiresAt: null,
      device: {
        id: device.id,
        name: 'Device',
        kind: 'gateway',
        customerId: null,
        ownerId: null,
        state: 'created',
        masterId: null,
        profileId: null,
      },
    });
  });

  test('are nowhere in the database', async () => {
    const { body } = await issue((await newDevice()).id);
    const rows = await registry.dataSource.manager.find(CredentialEntity);
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(body.accessToken);
  });

  test.each(['x', 'A'.repeat(32), `' OR '1'='1`, 'ü'.repeat(100)])('of nobody are refused: %j', async (token) => {
    await expect(verify(token)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
  });

  test('that are revoked end at once, and everybody is told', async () => {
    const device = await newDevice();
    const [one, other] = [(await issue(device.id)).body, (await issue(device.id)).body];
    const path = `/api/devices/${device.id}/credentials/${one.id}` as const;
    expect((await registry.call(admin, `DELETE ${path}`)).status).toBe(204);
    await expect(verify(one.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await expect(verify(other.accessToken)).resolves.toMatchObject({ credentialId: other.id });
    await waitUntil(() => isRevoked(device.id, one.id), { what: 'the revocation is heard' });
    expect((await registry.call(admin, `DELETE ${path}`)).body.code).toBe('NOT_FOUND');
    expect((await list(device.id)).map(({ id }) => id)).toEqual([other.id]);
  });

  test('of another device are not there', async () => {
    const [one, other] = [await newDevice(), await newDevice()];
    const { body } = await issue(one.id);
    const path = `/api/devices/${other.id}/credentials/${body.id}` as const;
    expect((await registry.call(admin, `DELETE ${path}`)).status).toBe(404);
    expect((await registry.call(admin, `POST ${path}/rotate`)).status).toBe(404);
    await expect(verify(body.accessToken)).resolves.toMatchObject({ credentialId: body.id });
  });

  test('go with their device', async () => {
    const device = await newDevice();
    const { body } = await issue(device.id);
    await registry.call(admin, `DELETE /api/devices/${device.id}`);
    await expect(verify(body.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
  });

  test('that are rotated end at once if no overlap is asked for', async () => {
    const device = await newDevice();
    const old = (await issue(device.id)).body;
    const rotated = await registry.call(admin, `POST /api/devices/${device.id}/credentials/${old.id}/rotate`);
    expect(rotated.status).toBe(201);
    await expect(verify(old.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await expect(verify(rotated.body.accessToken)).resolves.toMatchObject({ credentialId: rotated.body.id });
    await waitUntil(() => isRevoked(device.id, old.id), { what: 'the end of the old token is heard' });
  });

  test('that are rotated go on for the overlap, then end and everybody is told', async () => {
    const device = await newDevice();
    const old = (await issue(device.id)).body;
    const { body } = await registry.call(admin, `POST /api/devices/${device.id}/credentials/${old.id}/rotate`, {
      body: { overlapSeconds: 2 },
    });
    const { expiresAt } = await verify(old.accessToken);
    expect(expiresAt).toEqual(expect.any(Number));
    expect((await list(device.id)).map((item) => item.expiresAt)).toEqual([expiresAt, null]);
    await waitUntil(() => isRevoked(device.id, old.id), { what: 'the overlap is over' });
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt ?? Infinity);
    await expect(verify(old.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await expect(verify(body.accessToken)).resolves.toMatchObject({ expiresAt: null });
  });

  test.each<object>([{ overlapSeconds: -1 }, { overlapSeconds: 1e9 }, { overlapSeconds: '5' }, { overlap: 5 }])(
    'are not rotated with %j',
    async (body) => {
      const device = await newDevice();
      const { id } = (await issue(device.id)).body;
      const reply = await registry.call(admin, `POST /api/devices/${device.id}/credentials/${id}/rotate`, { body });
      expect(reply.body).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
    },
  );

  test('are at most sixteen, also when fifty are asked for at once', async () => {
    const device = await newDevice();
    const replies = await Promise.all(Array.from({ length: 50 }, () => issue(device.id)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(16);
    expect(replies.filter(({ body }) => body.code === 'CREDENTIAL_LIMIT_REACHED')).toHaveLength(34);
    const [first] = await list(device.id);
    expect((await rotate(device.id, first?.id ?? '', 60)).code).toBe('CREDENTIAL_LIMIT_REACHED');
    expect((await list(device.id))[0]?.expiresAt).toBeNull();
    expect((await rotate(device.id, first?.id ?? '', 0)).kind).toBe('access-token');
    expect(await list(device.id)).toHaveLength(16);
  });

  test('are kept by whoever manages the device, and by nobody else', async () => {
    const customer = (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A' } }))
      .body.id;
    const [owner, operator, stranger] = [person('user'), person('operator', customer), person('user')];
    const own = await newDevice({}, owner);
    const ofCustomer = await newDevice({}, operator);
    expect((await issue(own.id, owner)).status).toBe(201);
    expect((await issue(ofCustomer.id, operator)).status).toBe(201);
    for (const [who, device] of [
      [operator, own],
      [owner, ofCustomer],
      [stranger, own],
    ] as const) {
      expect((await issue(device.id, who)).status).toBe(404);
      const id = (await list(device.id))[0]?.id ?? '';
      expect((await registry.call(who, `GET /api/devices/${device.id}/credentials`)).status).toBe(404);
      expect((await registry.call(who, `DELETE /api/devices/${device.id}/credentials/${id}`)).status).toBe(404);
      expect((await registry.call(who, `POST /api/devices/${device.id}/credentials/${id}/rotate`)).status).toBe(404);
    }
  });

  test('of the kind password have a user name, in any notation of its MAC address, and no other password', async () => {
    const number = `n-${randomUUID()}`;
    const customer = (await registry.call(admin, 'POST /api/customers', { body: { number, name: 'A' } })).body.id;
    const device = await newDevice({ customer, macAddress: '44-8a-5b-9c-70-93' });
    const issued = await issueOf(device.id, { kind: 'password' });
    expect(issued).toEqual({
      id: expect.any(String),
      kind: 'password',
      userName: `${number}/44:8A:5B:9C:70:93`,
      password: expect.stringMatching(/^[\w-]{32}$/),
    });
    for (const mac of ['44:8a:5b:9c:70:93', '448A5B9C7093', '448a.5b9c.7093']) {
      const principal = await verifyPassword(`${number}/${mac}`, issued.password);
      expect(principal).toMatchObject({ credentialId: issued.id, device: { id: device.id }, expiresAt: null });
    }
    for (const [userName, password] of [
      [issued.userName, 'another'],
      [`${number}x/44:8A:5B:9C:70:93`, issued.password],
      [device.id, issued.password],
      [issued.password, issued.userName],
      [`' OR '1'='1`, `' OR '1'='1`],
    ] as const) {
      await expect(verifyPassword(userName, password)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    }
    const texts = [issued.password, JSON.stringify([issued.userName, issued.password])];
    for (const text of texts) await expect(verify(text)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect(await list(device.id)).toMatchObject([{ kind: 'password', userName: issued.userName, pending: false }]);
    expect(JSON.stringify(await list(device.id))).not.toContain(issued.password);
  });

  test('of the kind password have the user name that is asked for, or the id of the device', async () => {
    const device = await newDevice();
    expect((await issueOf(device.id, { kind: 'password' })).userName).toBe(device.id);
    const issued = await issueOf(device.id, { kind: 'password', userName: ' Größe/44-8a ' });
    expect(issued.userName).toBe('Größe/44:8A');
    await expect(verifyPassword('Größe/448a', issued.password)).resolves.toMatchObject({ credentialId: issued.id });
  });

  test('of the kind device-jwt are tokens with an end, which stand for one credential', async () => {
    const device = await newDevice();
    const issued = await issueOf(device.id, { kind: 'device-jwt' });
    expect(issued).toEqual({
      id: expect.any(String),
      kind: 'device-jwt',
      token: expect.stringContaining('.'),
      expiresAt: expect.any(Number),
    });
    expect(jwt.decode(issued.token, { json: true })).toMatchObject({
      iss: 'fieldline-devices',
      sub: device.id,
      jti: issued.id,
      exp: (issued.expiresAt ?? 0) / 1_000,
    });
    const { credentialId, expiresAt } = await verify(issued.token);
    expect({ credentialId, expiresAt }).toEqual({ credentialId: issued.id, expiresAt: issued.expiresAt });
    expect(await list(device.id)).toMatchObject([{ id: issued.id, kind: 'device-jwt', expiresAt: null }]);
  });

  test('of the kind device-jwt are refused after their time, of another device, key or kind, and once revoked', async () => {
    const [one, other] = [await newDevice(), await newDevice()];
    const issued = await issueOf(one.id, { kind: 'device-jwt' });
    const access = await issueOf(other.id, { kind: 'access-token' });
    const ours = new DeviceJwts(deviceJwtKey(SECRET_KEY), 60);
    const theirs = new DeviceJwts(deviceJwtKey('another secret key, of 32 letters'), 60);
    const { exp, ...claims } = jwt.decode(issued.token, { json: true }) ?? {};
    for (const [token, code] of [
      [ours.sign(one.id, issued.id, Date.now() - 120_000).token, 'TOKEN_EXPIRED'],
      [ours.sign(other.id, issued.id, Date.now()).token, 'BAD_CREDENTIALS'],
      [ours.sign(other.id, access.id, Date.now()).token, 'BAD_CREDENTIALS'],
      [ours.sign(one.id, randomUUID(), Date.now()).token, 'BAD_CREDENTIALS'],
      [theirs.sign(one.id, issued.id, Date.now()).token, 'BAD_CREDENTIALS'],
      [jwt.sign({ ...claims, exp }, null, { algorithm: 'none' }), 'BAD_CREDENTIALS'],
      [jwt.sign(claims, deviceJwtKey(SECRET_KEY)), 'BAD_CREDENTIALS'],
    ] as const) {
      await expect(verify(token)).rejects.toMatchObject({ code });
    }
    await registry.call(admin, `DELETE /api/devices/${one.id}/credentials/${issued.id}`);
    await expect(verify(issued.token)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await registry.call(admin, `DELETE /api/devices/${one.id}`);
    await expect(verify(issued.token)).rejects.toMatchObject({ code: 'NOT_REGISTERED' });
  });

  test.each<[string, object, string]>([
    ['a password', { kind: 'password' }, 'password'],
    ['a JSON web token', { kind: 'device-jwt' }, 'device-jwt'],
  ])('%s that is rotated goes on beside its successor of the same kind for the overlap', async (_what, body, kind) => {
    const device = await newDevice();
    const old = await issueOf(device.id, body);
    const check = (issued: Json) =>
      kind === 'password' ? verifyPassword(issued.userName, issued.password) : verify(issued.token);
    const next = await rotate(device.id, old.id, 600);
    expect(next).toMatchObject({ kind, ...(kind === 'password' ? { userName: old.userName } : {}) });
    expect(next.id).not.toBe(old.id);
    const ends = (await list(device.id)).map(({ expiresAt }) => expiresAt);
    expect(ends).toEqual([expect.any(Number), null]);
    expect((await check(old)).expiresAt).toBe(ends[0]);
    expect((await check(next)).credentialId).toBe(next.id);
    const last = await rotate(device.id, next.id, 0);
    await expect(check(next)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect((await check(last)).credentialId).toBe(last.id);
  });

  test('of a device that is switched off are refused, and work again once it is on', async () => {
    const device = await newDevice();
    const [token, password, signed] = [
      await issueOf(device.id, {}),
      await issueOf(device.id, { kind: 'password' }),
      await issueOf(device.id, { kind: 'device-jwt' }),
    ];
    const all = () => [
      verify(token.accessToken),
      verifyPassword(password.userName, password.password),
      verify(signed.token),
    ];
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { enabled: false } });
    for (const refused of await Promise.allSettled(all())) {
      expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'DEVICE_DISABLED' } });
    }
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { enabled: true } });
    for (const principal of await Promise.all(all())) expect(principal.device.id).toBe(device.id);
  });

  test.each<object>([
    { kind: 'none' },
    { kind: 'access-token', userName: 'x' },
    { userName: 'x' },
    { kind: 'password', userName: '' },
    { kind: 'password', userName: 'x'.repeat(257) },
    { kind: 'password', userName: 'a\u0000b' },
    { kind: 'password', password: 'mine' },
  ])('are not issued for %j', async (body) => {
    const reply = await issueOf((await newDevice()).id, body);
    expect(reply).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
  });

  test('leave a trail of who made, rotated and revoked them, without a secret', async () => {
    const device = await newDevice();
    const old = await issueOf(device.id, { kind: 'password' });
    const next = await rotate(device.id, old.id, 0);
    await registry.call(admin, `DELETE /api/devices/${device.id}/credentials/${next.id}`);
    const entries = [...(await trail(old.id)), ...(await trail(next.id))].sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(entries.map(({ action }) => action)).toEqual([
      'credential.created',
      'credential.rotated',
      'credential.revoked',
    ]);
    for (const entry of entries) {
      expect(entry).toMatchObject({ actorKind: 'user', actorId: admin.principal.userId, subjectName: 'Device' });
    }
    expect(entries[1]?.changes).toMatchObject({
      device: { from: null, to: device.id },
      kind: { from: null, to: 'password' },
      id: { from: old.id, to: next.id },
    });
    expect(JSON.stringify(entries)).not.toContain(old.password);
    expect(JSON.stringify(entries)).not.toContain(next.password);
  });
}
