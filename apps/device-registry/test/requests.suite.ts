import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DeviceCredentials } from '#access';
import type { DevicePrincipal, Principal, RpcReply } from '#contracts';
import { waitUntil } from '#testing';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** What the registry promises to the other services. */
export function requestsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let url: string;
  let registry: StartedRegistry;
  beforeAll(async () => {
    url = await database();
    registry = await startRegistry(url);
  });
  afterAll(() => registry.stop());

  const newDevice = async (document: object = {}, who = admin): Promise<Json> =>
    (await registry.call(who, 'POST /api/devices', { body: { name: randomUUID(), ...document } })).body;
  const newCustomer = async (deviceLimit: number | null = null): Promise<string> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } })).body
      .id;
  const countOf = async (customer: string): Promise<number> =>
    (await registry.call(admin, `GET /api/customers/${customer}`)).body.deviceCount;
  const principalOf = async (id: string): Promise<DevicePrincipal> => {
    const { body } = await registry.call(admin, `POST /api/devices/${id}/credentials`);
    return registry.rpc.call('registry.credentials.verify', { kind: 'token', token: body.accessToken });
  };
  const authorize = (principal: Principal, device: string, action: 'read' | 'write' | 'manage') =>
    registry.rpc.call('registry.devices.authorize', { principal, device, action });
  const provision = (macAddress: string): Promise<RpcReply<'registry.devices.provisionByMac'>> =>
    registry.rpc.call('registry.devices.provisionByMac', { macAddress });
  const verify = (token: string) => registry.rpc.call('registry.credentials.verify', { kind: 'token', token });

  test('a gateway may write for itself and what is behind it, by id or name', async () => {
    const hub = await newDevice({ kind: 'gateway' });
    const pump = await newDevice({ name: 'Pump', master: hub.id });
    const other = await newDevice({ name: 'Fan' });
    const principal = await principalOf(hub.id);
    for (const device of [pump.id, 'Pump']) expect((await authorize(principal, device, 'write')).id).toBe(pump.id);
    expect((await authorize(principal, hub.id, 'write')).id).toBe(hub.id);
    for (const device of [other.id, 'Fan', randomUUID(), 'pump', `' OR '1'='1`]) {
      await expect(authorize(principal, device, 'write')).rejects.toMatchObject({ code: 'DEVICE_NOT_ALLOWED' });
    }
    await expect(authorize(principal, pump.id, 'manage')).rejects.toMatchObject({ code: 'DEVICE_NOT_ALLOWED' });
  });

  test('people may do what the policy says, and learn nothing of other devices', async () => {
    const owner = person('user');
    const mine = await newDevice({}, owner);
    const other = await newDevice();
    expect((await authorize(owner.principal, mine.id, 'manage')).id).toBe(mine.id);
    expect((await authorize(admin.principal, other.id, 'write')).id).toBe(other.id);
    const refusals = await Promise.all(
      [other.id, randomUUID()].map((id) =>
        authorize(owner.principal, id, 'read').then(
          () => 'allowed',
          (error: Error) => error.message.replace(id, 'it'),
        ),
      ),
    );
    expect(new Set(refusals).size).toBe(1);
  });

  test('a person has one default gateway, also when fifty ask at once', async () => {
    const { principal } = person('user', await newCustomer());
    const ask = () =>
      registry.rpc.call('registry.devices.defaultGateway', {
        userId: principal.userId,
        customerId: principal.customerId,
      });
    const gateways = await Promise.all(Array.from({ length: 50 }, ask));
    expect(new Set(gateways.map(({ id }) => id)).size).toBe(1);
    expect(gateways[0]).toMatchObject({
      name: 'Default gateway',
      kind: 'gateway',
      ownerId: principal.userId,
      customerId: principal.customerId,
    });
    expect(await countOf(principal.customerId ?? '')).toBe(1);
    await registry.call(admin, `DELETE /api/devices/${gateways[0]?.id ?? ''}`);
    expect((await ask()).id).not.toBe(gateways[0]?.id);
  });

  test('a default gateway counts as a device of its customer, and does without one that is gone', async () => {
    const full = await newCustomer(0);
    const ask = (customerId: string) =>
      registry.rpc.call('registry.devices.defaultGateway', { userId: randomUUID(), customerId });
    await expect(ask(full)).rejects.toMatchObject({ code: 'DEVICE_LIMIT_REACHED' });
    expect((await ask(randomUUID())).customerId).toBeNull();
  });

  test('a MAC address gets one device and one token, also when fifty ask at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => provision(i % 2 === 0 ? 'CE:13:14:15' : 'ce-13-14-15')),
    );
    expect(new Set(answers.map(({ device }) => device.id)).size).toBe(1);
    expect(new Set(answers.map(({ accessToken }) => accessToken)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    const [{ device, accessToken }] = answers as [RpcReply<'registry.devices.provisionByMac'>];
    expect(device).toMatchObject({ name: 'CE:13:14:15', kind: 'direct', customerId: null, ownerId: null });
    expect((await verify(accessToken)).device).toEqual(device);
    expect((await registry.call(admin, `GET /api/devices/${device.id}/credentials`)).body.items).toHaveLength(1);
    expect((await registry.call(admin, 'GET /api/devices?macAddress=CE131415')).body.items).toHaveLength(1);
  });

  test('a token that was asked for again goes on until it is revoked; then the next one is given', async () => {
    const first = await provision('A0:01');
    expect(await provision('A0:01')).toEqual({ ...first, created: false });
    const { credentialId } = await verify(first.accessToken);
    await registry.call(admin, `DELETE /api/devices/${first.device.id}/credentials/${credentialId}`);
    await expect(verify(first.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
    const second = await provision('A0:01');
    expect(second.device).toEqual(first.device);
    expect(second.accessToken).not.toBe(first.accessToken);
    await expect(verify(second.accessToken)).resolves.toMatchObject({ device: { id: first.device.id } });
    await expect(verify(first.accessToken)).rejects.toMatchObject({ code: 'BAD_CREDENTIALS' });
  });

  test('a rotated token is not given again, and goes on for its overlap', async () => {
    const first = await provision('A0:02');
    const { credentialId } = await verify(first.accessToken);
    const rotated = await registry.call(
      admin,
      `POST /api/devices/${first.device.id}/credentials/${credentialId}/rotate`,
      {
        body: { overlapSeconds: 600 },
      },
    );
    const again = await provision('A0:02');
    expect(new Set([first.accessToken, rotated.body.accessToken, again.accessToken]).size).toBe(3);
    for (const token of [first.accessToken, rotated.body.accessToken, again.accessToken]) {
      expect((await verify(token)).device.id).toBe(first.device.id);
    }
  });

  test('a device that provisioned itself is found again with its customer, and another device with that MAC is not', async () => {
    const customer = await newCustomer();
    const { device, accessToken } = await provision('A0:03');
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { customer, name: 'Moved' } });
    expect(await provision('A0:03')).toMatchObject({
      device: { id: device.id, customerId: customer },
      accessToken,
      created: false,
    });
    const ofCustomer = await newDevice({ macAddress: 'A0:04', customer });
    const provisioned = await provision('A0:04');
    expect(provisioned.created).toBe(true);
    expect(provisioned.device.id).not.toBe(ofCustomer.id);
    const prepared = await newDevice({ macAddress: 'A0:05' });
    expect(await provision('A0:05')).toMatchObject({ device: { id: prepared.id }, created: false });
  });

  test('a device whose MAC address was changed leaves its old one to the next', async () => {
    const { device } = await provision('A0:06');
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { macAddress: 'A0:07' } });
    expect((await provision('A0:06')).device.id).not.toBe(device.id);
    expect((await provision('A0:07')).device.id).toBe(device.id);
  });

  test.each(['xx', "CE' OR 1=1", 'C'.repeat(63)])('%j is no MAC address', async (macAddress) => {
    await expect(provision(macAddress)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('a customer is found by id or number', async () => {
    const number = `n-${randomUUID()}`;
    const { id } = (await registry.call(admin, 'POST /api/customers', { body: { number, name: 'A' } })).body;
    const find = (customer: string) => registry.rpc.call('registry.customers.find', { customer });
    expect([await find(id), await find(number)]).toEqual([
      { id, number },
      { id, number },
    ]);
    expect([await find(randomUUID()), await find(number.toUpperCase()), await find(`' OR '1'='1`)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test('who holds a verified token drops it when it is revoked, and sees its device as it is', async () => {
    const { device, accessToken } = await provision('A0:08');
    const credentials = registry.app.get(DeviceCredentials);
    const presented = { kind: 'token', token: accessToken } as const;
    await credentials.verify(presented);
    await registry.call(admin, `PATCH /api/devices/${device.id}`, { body: { name: 'Renamed' } });
    await waitUntil(async () => (await credentials.verify(presented)).device.name === 'Renamed', {
      what: 'the new name is seen',
    });
    const { credentialId } = await credentials.verify(presented);
    await registry.call(admin, `DELETE /api/devices/${device.id}/credentials/${credentialId}`);
    const refused = async () =>
      credentials.verify(presented).then(
        () => false,
        ({ code }: { code: string }) => code === 'BAD_CREDENTIALS',
      );
    await waitUntil(refused, { what: 'the revoked token is refused' });
  });
}
