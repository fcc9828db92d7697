import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import { CredentialEntity } from '../src/credentials/credential.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

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
      { id, kind: 'access-token', createdAt: expect.any(Number), expiresAt: null },
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
    const rotate = (body: object) =>
      registry.call(admin, `POST /api/devices/${device.id}/credentials/${first?.id ?? ''}/rotate`, { body });
    expect((await rotate({ overlapSeconds: 60 })).body.code).toBe('CREDENTIAL_LIMIT_REACHED');
    expect((await list(device.id))[0]?.expiresAt).toBeNull();
    expect((await rotate({})).status).toBe(201);
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
}
