import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AskedCredentials } from '#contracts';
import { waitUntil } from '#testing';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { FAN } from './certificates.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** A device that asks, and by which key. */
interface Asking {
  name: string;
  keyId: string;
  customerId: string | null;
  gateway?: boolean;
  credentials?: AskedCredentials;
}

const CERTIFICATE = { kind: 'certificate', fingerprint: FAN.fingerprint, expiresAt: Date.UTC(2126, 0, 1) } as const;

/** What the registry promises of devices that a provisioning key lets in by their name. */
export function selfProvisioningSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  const newDevice = async (document: object = {}): Promise<Json> =>
    (await registry.call(admin, 'POST /api/devices', { body: { name: randomUUID(), ...document } })).body;
  const newCustomer = async (deviceLimit: number | null = null): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } })).body
      .id;
  const asking = (more: Partial<Asking> = {}): Asking => ({
    name: randomUUID(),
    keyId: randomUUID(),
    customerId: null,
    ...more,
  });
  const ask = ({ gateway = false, credentials = { kind: 'access-token' }, ...asked }: Asking) =>
    registry.rpc.call('registry.devices.selfProvision', { ...asked, gateway, credentials });
  const refusal = (asked: Asking) =>
    ask(asked).then(
      () => 'let in',
      ({ code }: { code: string }) => code,
    );
  const tokenOf = async (asked: Asking): Promise<string> => {
    const { credentials } = await ask(asked);
    return credentials.kind === 'access-token' ? (credentials.token ?? '') : '';
  };
  const verify = (brought: { clientId?: string; userName?: string; password?: string }) =>
    registry.rpc.call('registry.credentials.verify', { kind: 'mqtt', clientId: '', ...brought });
  const isLetIn = (brought: Parameters<typeof verify>[0]) =>
    verify(brought).then(
      () => true,
      () => false,
    );
  const kindsOf = async (id: string) =>
    (await registry.call(admin, `GET /api/devices/${id}/credentials`)).body.items.map(({ kind }) => kind);
  const isTold = (deviceId: string) =>
    registry.heard('registry.credentials.revoked').some((event) => event.deviceId === deviceId);

  test('a device is made by its name, with a token, for the customer of the key', async () => {
    const asked = asking({ customerId: await newCustomer(), gateway: true });
    const { device, credentials } = await ask(asked);
    expect(device).toMatchObject({
      name: asked.name,
      kind: 'gateway',
      customerId: asked.customerId,
      ownerId: null,
      state: 'provisioned',
    });
    expect(credentials).toEqual({ kind: 'access-token', token: expect.stringMatching(/^[\w-]{32}$/) });
    const entries = await registry.dataSource.manager.findBy(AuditEntryEntity, { subjectId: device.id });
    expect(entries).toMatchObject([
      { action: 'device.created', actorKind: 'provisioning-key', actorId: asked.keyId, customerId: asked.customerId },
    ]);
    const { credentialId } = await verify({ userName: await tokenOf(asked) });
    expect(await registry.dataSource.manager.existsBy(AuditEntryEntity, { subjectId: credentialId })).toBe(true);
  });

  test('of fifty requests for one device at once one makes it, and all are told the token that it has', async () => {
    const asked = asking();
    const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenOf(asked)));
    expect(new Set(tokens).size).toBe(1);
    expect(await isLetIn({ userName: tokens[0] ?? '' })).toBe(true);
    expect((await registry.call(admin, `GET /api/devices?q=${asked.name}`)).body.items).toHaveLength(1);
  });

  test('fifty requests at once that bring a password leave the device with that password', async () => {
    const userName = randomUUID();
    const asked = asking({ credentials: { kind: 'mqtt-basic', clientId: 'c', userName, password: 'secret' } });
    const devices = await Promise.all(Array.from({ length: 50 }, async () => (await ask(asked)).device.id));
    expect(new Set(devices).size).toBe(1);
    expect((await verify({ clientId: 'c', userName, password: 'secret' })).device.id).toBe(devices[0]);
    expect(await kindsOf(devices[0] ?? '')).toEqual(['mqtt-basic']);
  });

  test('a device has the credentials that it asks for', async () => {
    const token = `my token-${randomUUID()}`.replace(' ', '_');
    const own = await ask(asking({ credentials: { kind: 'access-token', token } }));
    expect(own.credentials).toEqual({ kind: 'access-token', token });
    expect((await verify({ userName: token })).device.id).toBe(own.device.id);
    const clientId = randomUUID();
    const basic = await ask(asking({ credentials: { kind: 'mqtt-basic', clientId } }));
    expect((await verify({ clientId })).device.id).toBe(basic.device.id);
    const certified = await ask(asking({ credentials: CERTIFICATE }));
    const { fingerprint, expiresAt } = CERTIFICATE;
    const principal = await registry.rpc.call('registry.credentials.verify', { kind: 'certificate', fingerprint });
    expect(principal).toMatchObject({ device: { id: certified.device.id }, expiresAt });
  });

  test('credentials of another device are refused, and no device is made for them', async () => {
    const token = randomUUID();
    const credentials = { kind: 'access-token', token } as const;
    const { device } = await ask(asking({ credentials }));
    const other = asking({ credentials });
    expect(await refusal(other)).toBe('CONFLICT');
    expect((await registry.call(admin, `GET /api/devices?q=${other.name}`)).body.items).toEqual([]);
    expect((await verify({ userName: token })).device.id).toBe(device.id);
  });

  test('a device whose reply was lost gets in again by the same key, and what it asked for before is void', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const asked = asking();
    const { device } = await ask({ ...asked, credentials: { kind: 'mqtt-basic', userName: first, password: 'p' } });
    await ask({ ...asked, credentials: { kind: 'access-token', token: second } });
    expect([await isLetIn({ userName: first, password: 'p' }), await isLetIn({ userName: second })]).toEqual([
      false,
      true,
    ]);
    await waitUntil(() => isTold(device.id), { what: 'the end of the first is heard' });
    const token = await tokenOf(asked);
    expect(await tokenOf(asked)).toBe(token);
    expect([await isLetIn({ userName: second }), await isLetIn({ userName: token })]).toEqual([false, true]);
    await ask({ ...asked, credentials: { kind: 'mqtt-basic', userName: first, password: 'anew' } });
    expect([await isLetIn({ userName: token }), await isLetIn({ userName: first, password: 'p' })]).toEqual([
      false,
      false,
    ]);
    expect((await verify({ userName: first, password: 'anew' })).device.id).toBe(device.id);
    expect(await tokenOf(asked)).not.toBe(token);
  });

  test('another key does not get the device of the first', async () => {
    const asked = asking();
    const token = await tokenOf(asked);
    expect(await refusal({ ...asked, keyId: randomUUID() })).toBe('DEVICE_EXISTS');
    expect(await isLetIn({ userName: token })).toBe(true);
  });

  test('a device that was heard is in use; reset, it is let in again by any key of its customer, and with another token', async () => {
    const asked = asking({ customerId: await newCustomer() });
    const { device } = await ask(asked);
    const token = await tokenOf(asked);
    await registry.rpc.call('registry.devices.heard', { deviceId: device.id });
    expect(await refusal(asked)).toBe('DEVICE_EXISTS');
    await expect(ask(asked)).rejects.toThrow('POST /api/devices/:id/reset');
    expect(await isLetIn({ userName: token })).toBe(true);
    expect((await registry.call(admin, `POST /api/devices/${device.id}/reset`)).status).toBe(204);
    const again = { ...asked, keyId: randomUUID() };
    expect((await ask(again)).device.id).toBe(device.id);
    expect(await tokenOf(again)).not.toBe(token);
    expect(await isLetIn({ userName: token })).toBe(false);
    expect(await refusal(asked)).toBe('DEVICE_EXISTS');
  });

  test('a device that was made beforehand gets credentials if it has none, and keeps what it is', async () => {
    const customerId = await newCustomer();
    const [prepared, taken] = [
      await newDevice({ customer: customerId, kind: 'gateway' }),
      await newDevice({ customer: customerId }),
    ];
    await registry.call(admin, `POST /api/devices/${taken.id}/credentials`);
    const { device } = await ask(asking({ name: prepared.name, customerId }));
    expect(device).toMatchObject({ id: prepared.id, kind: 'gateway', state: 'provisioned' });
    expect(await refusal(asking({ name: taken.name, customerId }))).toBe('DEVICE_EXISTS');
    expect((await ask(asking({ name: prepared.name }))).device.id).not.toBe(prepared.id);
    expect((await ask(asking({ name: prepared.name.toUpperCase(), customerId }))).device.id).not.toBe(prepared.id);
    const actions = await registry.dataSource.manager.findBy(AuditEntryEntity, { subjectId: prepared.id });
    expect(actions.map(({ action }) => action).sort()).toEqual(['device.created', 'device.registered']);
  });

  test('of several devices of one name none is chosen', async () => {
    const name = randomUUID();
    await newDevice({ name });
    await newDevice({ name });
    expect(await refusal(asking({ name }))).toBe('DEVICE_EXISTS');
  });

  test('a device behind a gateway is another one, whatever its name', async () => {
    const gateway = await newDevice({ kind: 'gateway' });
    const child = await newDevice({ master: gateway.id });
    expect((await ask(asking({ name: child.name }))).device.id).not.toBe(child.id);
  });

  test('a device that was renamed is found by the name that it gives itself, but not once it is with another customer', async () => {
    const [customerId, other] = [await newCustomer(), await newCustomer()];
    const asked = asking({ customerId });
    const { device } = await ask(asked);
    const change = (body: object) => registry.call(admin, `PATCH /api/devices/${device.id}`, { body });
    await change({ name: 'Pump' });
    expect((await ask(asked)).device.id).toBe(device.id);
    await change({ customer: other });
    const next = await ask(asked);
    expect(next.device.id).not.toBe(device.id);
    expect((await ask(asked)).device.id).toBe(next.device.id);
  });

  test('a device that is switched off is not let in, nor one too many', async () => {
    const full = await newCustomer(1);
    const asked = asking({ customerId: full });
    const { device } = await ask(asked);
    expect(await refusal(asking({ customerId: full }))).toBe('DEVICE_LIMIT_REACHED');
    expect((await ask(asked)).device.id).toBe(device.id);
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { enabled: false } });
    expect(await refusal(asked)).toBe('DEVICE_DISABLED');
  });

  test.each<AskedCredentials>([
    { kind: 'access-token', token: 'a.b' },
    { kind: 'access-token', token: 'a b' },
    { kind: 'access-token', token: 'a\u0000b' },
    { kind: 'mqtt-basic' },
    { kind: 'mqtt-basic', password: 'x' },
    { kind: 'mqtt-basic', userName: 'a\nb' },
    { kind: 'mqtt-basic', clientId: '\ud800' },
    { ...CERTIFICATE, expiresAt: Date.UTC(2020, 0, 1) },
  ])('nothing is let in by %j', async (credentials) => {
    expect(await refusal(asking({ credentials }))).toBe('INVALID_INPUT');
  });

  test('a person gives up the device that they own by its name', async () => {
    const user = person('user');
    const own = (await registry.call(user, 'POST /api/devices', { body: { name: randomUUID() } })).body;
    const release = (name: string, who = user) =>
      registry.rpc.call('registry.devices.release', { name, user: who.principal });
    for (const [name, who] of [
      [own.name, person('user')],
      [own.name.toUpperCase(), user],
      [own.name, admin],
    ] as const) {
      await expect(release(name, who)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await release(own.name)).toMatchObject({ id: own.id, ownerId: null });
    await expect(release(own.name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const _device of [1, 2]) await registry.call(user, 'POST /api/devices', { body: { name: 'Twin' } });
    await expect(release('Twin')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
}
