import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { CredentialEntity } from '../src/credentials/credential.entity.ts';
import { ENDED, FAN, PUMP } from './certificates.ts';
import { person, startRegistry, type Json, type Reply, type StartedRegistry } from './started-registry.ts';

/** What an MQTT client brings. */
interface Brought {
  clientId?: string;
  userName?: string;
  password?: string;
}

/** What the registry promises of what MQTT clients bring, and of client certificates. */
export function mqttCredentialsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newDevice = async (document: object = {}): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: 'Device', ...document } })).body;
  const issue = (id: string, body: object): Promise<Reply> =>
    registry.call(admin, `POST /api/devices/${id}/credentials`, { body });
  const issued = async (id: string, body: object): Promise<Json> => (await issue(id, body)).body;
  const ofMqtt = async (id: string, given: Brought): Promise<Json> => issued(id, { kind: 'mqtt-basic', ...given });
  const verify = ({ clientId = '', ...brought }: Brought) =>
    registry.rpc.call('registry.credentials.verify', { kind: 'mqtt', clientId, ...brought });
  const verifyCertificate = (fingerprint: string) =>
    registry.rpc.call('registry.credentials.verify', { kind: 'certificate', fingerprint });
  const list = async (id: string): Promise<Json[]> =>
    (await registry.call(admin, `GET /api/devices/${id}/credentials`)).body.items;
  const revoke = (id: string, credentialId: string) =>
    registry.call(admin, `DELETE /api/devices/${id}/credentials/${credentialId}`);
  const rotate = (id: string, credentialId: string, overlapSeconds = 0) =>
    registry.call(admin, `POST /api/devices/${id}/credentials/${credentialId}/rotate`, { body: { overlapSeconds } });
  const refusal = (brought: Brought) =>
    verify(brought).then(
      () => 'let in',
      ({ code }: { code: string }) => code,
    );

  test('an access token is a user name, whatever password and client id come with it', async () => {
    const device = await newDevice();
    const { id, accessToken: userName } = await issued(device.id, {});
    for (const more of [{}, { password: '' }, { password: 'x' }, { clientId: randomUUID() }]) {
      expect(await verify({ userName, ...more })).toMatchObject({ credentialId: id, device: { id: device.id } });
    }
    expect(await refusal({ clientId: userName })).toBe('BAD_CREDENTIALS');
    expect(await refusal({ userName: 'x', password: userName })).toBe('BAD_CREDENTIALS');
  });

  test("a device's JSON web token is the password with its uuid, or with any user name, or the user name", async () => {
    const device = await newDevice({ kind: 'master' });
    const { id, token } = await issued(device.id, { kind: 'device-jwt' });
    for (const brought of [
      { userName: device.id, password: token },
      { userName: 'anything', password: token },
      { userName: token },
      { clientId: 'c', password: token },
    ]) {
      expect(await verify(brought)).toMatchObject({ credentialId: id, device: { id: device.id } });
    }
    await revoke(device.id, id);
    expect(await refusal({ userName: device.id, password: token })).toBe('BAD_CREDENTIALS');
    const gone = await newDevice();
    const { token: last } = await issued(gone.id, { kind: 'device-jwt' });
    await registry.call(admin, `DELETE /api/devices/${gone.id}`);
    expect(await refusal({ userName: gone.id, password: last })).toBe('NOT_REGISTERED');
  });

  test('a user name of ours is in any notation of its MAC address, with its password once that is active', async () => {
    const number = `n-${randomUUID()}`;
    await registry.call(admin, 'POST /api/customers', { body: { number, name: 'A' } });
    const known = { customerNumber: number, macAddress: '44:8A:5B:9C:70:93' };
    const { deviceId, password } = await registry.rpc.call('registry.twoStep.register', known);
    const brought = { userName: `${number}/448a.5b9c.7093`, password };
    await expect(verify(brought)).rejects.toThrow('/provisioning/activate');
    await registry.rpc.call('registry.twoStep.activate', { ...known, password });
    for (const mac of ['44:8A:5B:9C:70:93', '44-8a-5b-9c-70-93', '448a5b9c7093']) {
      expect((await verify({ userName: `${number}/${mac}`, password })).device.id).toBe(deviceId);
    }
    for (const wrong of [{ password: 'x' }, { password: '' }, { userName: `${number}/44:8A:5B:9C:70:94` }]) {
      expect(await refusal({ ...brought, ...wrong })).toBe('BAD_CREDENTIALS');
    }
  });

  test('what is set for a client id and a user name is for these two alone, and its password decides', async () => {
    const [device, other] = [await newDevice(), await newDevice()];
    const both = { clientId: 'Größe 1', userName: 'pump' };
    const { id } = await ofMqtt(device.id, { ...both, password: 'secret' });
    expect(await verify({ ...both, password: 'secret' })).toMatchObject({
      credentialId: id,
      device: { id: device.id },
    });
    for (const wrong of [
      { password: 'Secret' },
      { password: '' },
      {},
      { clientId: 'other', password: 'secret' },
      { userName: 'PUMP', password: 'secret' },
    ]) {
      expect(await refusal({ ...both, ...wrong })).toBe('BAD_CREDENTIALS');
    }
    const { accessToken } = await issued(other.id, {});
    await ofMqtt(device.id, { clientId: 'c', userName: accessToken, password: 'secret' });
    expect(await refusal({ clientId: 'c', userName: accessToken })).toBe('BAD_CREDENTIALS');
    expect((await verify({ clientId: 'd', userName: accessToken })).device.id).toBe(other.id);
  });

  test('what is set for a user name is for any client id, what is set for a client id for no user name', async () => {
    const [one, other] = [await newDevice(), await newDevice()];
    const [userName, clientId] = [randomUUID(), randomUUID()];
    await ofMqtt(one.id, { userName, password: 'secret' });
    await ofMqtt(other.id, { clientId, password: 'secret' });
    for (const client of ['', 'x', clientId]) {
      expect((await verify({ clientId: client, userName, password: 'secret' })).device.id).toBe(one.id);
    }
    expect((await verify({ clientId, password: 'secret' })).device.id).toBe(other.id);
    for (const brought of [
      { clientId, userName: 'x', password: 'secret' },
      { clientId },
      { clientId: userName, password: 'secret' },
      { userName },
      { userName: clientId, password: 'secret' },
    ]) {
      expect(await refusal(brought)).toBe('BAD_CREDENTIALS');
    }
  });

  test.each<Brought>([
    {},
    { clientId: 'x'.repeat(65_535) },
    { userName: 'x'.repeat(4_096), password: 'x'.repeat(4_096) },
    { userName: `' OR '1'='1`, password: `' OR '1'='1` },
    { userName: 'a.b.c' },
    { userName: '\u0000', password: '\u0000' },
  ])('nobody is let in by %j', async (brought) => {
    expect(await refusal(brought)).toBe('BAD_CREDENTIALS');
  });

  test('no two devices share a client id with a user name, also when fifty ask at once', async () => {
    const devices = await Promise.all(Array.from({ length: 10 }, () => newDevice()));
    const userName = randomUUID();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        issue(devices[i % 10]?.id ?? '', { kind: 'mqtt-basic', userName, password: `p${String(i)}` }),
      ),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ body }) => body.code === 'CONFLICT')).toHaveLength(49);
    expect(
      (await issue(devices[0]?.id ?? '', { kind: 'mqtt-basic', userName, clientId: 'c', password: 'p' })).status,
    ).toBe(201);
  });

  test('a password that somebody chose is shown to nobody and kept as a slow hash with a salt of its own', async () => {
    const device = await newDevice();
    const [one, other] = [
      await ofMqtt(device.id, { userName: randomUUID(), password: 'the same password' }),
      await ofMqtt(device.id, { userName: randomUUID(), clientId: 'c', password: 'the same password' }),
    ];
    expect(other).toEqual({ id: other.id, kind: 'mqtt-basic', clientId: 'c', userName: other.userName });
    expect(await list(device.id)).toMatchObject([
      { id: one.id, kind: 'mqtt-basic', userName: one.userName, clientId: null, fingerprint: null, expiresAt: null },
      { id: other.id, clientId: 'c' },
    ]);
    const rows = await registry.dataSource.manager.findBy(CredentialEntity, { deviceId: device.id });
    const hashes = rows.map(({ passwordHash }) => passwordHash);
    for (const hash of hashes) expect(hash).toMatch(/^\$argon2id\$/);
    expect(new Set(hashes).size).toBe(2);
    const kept = JSON.stringify([
      rows,
      await list(device.id),
      await registry.dataSource.manager.find(AuditEntryEntity, { order: { id: 'DESC' }, take: 10 }),
    ]);
    expect(kept).not.toContain('the same password');
  });

  test('credentials of MQTT that are revoked end at once; their successor has a password of our making', async () => {
    const device = await newDevice();
    const both = { clientId: randomUUID(), userName: 'pump' };
    const old = await ofMqtt(device.id, { ...both, password: 'secret' });
    expect((await rotate(device.id, old.id, 60)).body).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
    const next = (await rotate(device.id, old.id)).body;
    expect(next).toEqual({ id: next.id, kind: 'mqtt-basic', ...both, password: expect.stringMatching(/^[\w-]{32}$/) });
    expect(await refusal({ ...both, password: 'secret' })).toBe('BAD_CREDENTIALS');
    expect((await verify({ ...both, password: next.password })).credentialId).toBe(next.id);
    await revoke(device.id, next.id);
    expect(await refusal({ ...both, password: next.password })).toBe('BAD_CREDENTIALS');
    const isTold = (credentialId: string) =>
      registry.heard('registry.credentials.revoked').some((event) => event.credentialId === credentialId);
    await waitUntil(() => isTold(old.id) && isTold(next.id), { what: 'both ends are heard' });
    expect((await issue(device.id, { kind: 'mqtt-basic', ...both, password: 'anew' })).status).toBe(201);
  });

  test('of a device that is switched off nothing is accepted', async () => {
    const device = await newDevice();
    const userName = randomUUID();
    await ofMqtt(device.id, { userName, password: 'secret' });
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { enabled: false } });
    expect(await refusal({ userName, password: 'secret' })).toBe('DEVICE_DISABLED');
    expect(await refusal({ userName, password: 'wrong' })).toBe('BAD_CREDENTIALS');
  });

  test('who guesses the password of one device does not keep the others waiting', async () => {
    const [one, other] = [await newDevice(), await newDevice()];
    const [guessed, userName] = [randomUUID(), randomUUID()];
    await ofMqtt(one.id, { userName: guessed, password: 'secret' });
    await ofMqtt(other.id, { userName, password: 'secret' });
    const guesses = Array.from({ length: 500 }, (_, i) => refusal({ userName: guessed, password: String(i) }));
    expect((await verify({ userName, password: 'secret' })).device.id).toBe(other.id);
    expect(new Set(await Promise.all(guesses))).toEqual(new Set(['BAD_CREDENTIALS', 'UNAVAILABLE']));
    expect((await verify({ userName: guessed, password: 'secret' })).device.id).toBe(one.id);
  });

  test('a certificate lets its device in until its own time is over, or it is revoked', async () => {
    const [device, other] = [await newDevice(), await newDevice()];
    const made = await issued(device.id, { kind: 'certificate', certificate: PUMP.pem });
    const expiresAt = Date.UTC(2126, 9, 28, 16, 26, 39);
    expect(made).toEqual({ id: made.id, kind: 'certificate', fingerprint: PUMP.fingerprint, expiresAt });
    expect(await verifyCertificate(PUMP.fingerprint)).toMatchObject({
      credentialId: made.id,
      device: { id: device.id },
      expiresAt,
    });
    expect(await list(device.id)).toMatchObject([{ kind: 'certificate', fingerprint: PUMP.fingerprint, expiresAt }]);
    expect((await issue(other.id, { kind: 'certificate', certificate: PUMP.pem })).body.code).toBe('CONFLICT');
    expect((await rotate(device.id, made.id)).body.code).toBe('CONFLICT');
    await expect(verifyCertificate(FAN.fingerprint)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    await revoke(device.id, made.id);
    await expect(verifyCertificate(PUMP.fingerprint)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect((await issue(other.id, { kind: 'certificate', certificate: PUMP.pem })).status).toBe(201);
  });

  test.each<object>([
    { kind: 'mqtt-basic' },
    { kind: 'mqtt-basic', password: 'x' },
    { kind: 'mqtt-basic', userName: 'x' },
    { kind: 'mqtt-basic', userName: '', password: 'x' },
    { kind: 'mqtt-basic', userName: 'x', clientId: 'x'.repeat(257), password: 'x' },
    { kind: 'mqtt-basic', userName: 'x', password: 'a\u0000b' },
    { kind: 'mqtt-basic', userName: 'x', password: 'x', certificate: PUMP.pem },
    { kind: 'certificate' },
    { kind: 'certificate', certificate: 'x' },
    { kind: 'certificate', certificate: ENDED.pem },
    { kind: 'certificate', certificate: PUMP.pem, userName: 'x' },
    { kind: 'access-token', clientId: 'x' },
  ])('credentials are not issued for %j', async (body) => {
    expect((await issue((await newDevice()).id, body)).body).toMatchObject({ status: 422, code: 'INVALID_INPUT' });
  });

  test('the audit trail says who let in whom by what', async () => {
    const device = await newDevice();
    const [basic, certificate] = [
      await ofMqtt(device.id, { clientId: 'the client', userName: randomUUID(), password: 'p' }),
      await issued(device.id, { kind: 'certificate', certificate: FAN.pem }),
    ];
    await revoke(device.id, certificate.id);
    const trail = (subjectId: string) =>
      registry.dataSource.manager.find(AuditEntryEntity, { where: { subjectId }, order: { id: 'ASC' } });
    expect(await trail(basic.id)).toMatchObject([
      {
        action: 'credential.created',
        actorId: admin.principal.userId,
        changes: { kind: { to: 'mqtt-basic' }, clientId: { to: 'the client' }, userName: { to: basic.userName } },
      },
    ]);
    expect(await trail(certificate.id)).toMatchObject([
      { action: 'credential.created', changes: { fingerprint: { from: null, to: FAN.fingerprint } } },
      { action: 'credential.revoked', changes: { fingerprint: { from: FAN.fingerprint, to: null } } },
    ]);
  });
}
