import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DeviceRef } from '#contracts';
import { PairTicketEntity } from '../../provisioning/src/pairing/pair-ticket.entity.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { nobody, person, startWaysIn, type Caller, type Reply, type StartedWaysIn } from './started-ways-in.ts';

onEveryDatabase('claims by name and secret', (databaseUrl) => {
  const admin = person('admin');
  let services: StartedWaysIn;
  beforeAll(async () => {
    services = await startWaysIn(databaseUrl);
  });
  afterAll(() => services.stop());

  const newDevice = async (document: object = {}): Promise<DeviceRef> => {
    const { id } = (await services.call(admin, 'POST /api/devices', { name: randomUUID(), ...document })).body;
    return refOf(id);
  };
  const refOf = async (id: string): Promise<DeviceRef> => {
    const { accessToken } = (await services.call(admin, `POST /api/devices/${id}/credentials`)).body;
    return (await services.rpc.call('registry.credentials.verify', { kind: 'token', token: accessToken })).device;
  };
  const announce = (device: DeviceRef, secretKey = '', durationMs?: number) =>
    services.rpc.call('provisioning.claims.announce', { device, secretKey, durationMs });
  const path = (name: string) => `/api/customer/device/${encodeURIComponent(name)}/claim` as const;
  const claim = (who: Caller, name: string, body?: unknown): Promise<Reply> =>
    services.call(who, `POST ${path(name)}`, body);
  const release = (who: Caller, name: string) => services.call(who, `DELETE ${path(name)}`);
  const answer = ({ status, body }: Reply) => [status, body];

  test('a device that announced a secret is claimed by whoever knows it, and given up again', async () => {
    const device = await newDevice({ name: `Pumpe 1/Größe ${randomUUID()}` });
    const user = person('user');
    const before = Date.now();
    const { expiresAt } = await announce(device, 'abc', 60_000);
    expect(expiresAt).toBeGreaterThanOrEqual(before + 60_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(answer(await claim(user, device.name))).toEqual([400, 'FAILURE']);
    expect(answer(await claim(user, device.name, { secretKey: 'ABC' }))).toEqual([400, 'FAILURE']);
    expect(answer(await claim(user, device.name, { secretKey: 'abc' }))).toEqual([
      200,
      { response: 'SUCCESS', device: expect.objectContaining({ id: device.id, owner: user.userId }) },
    ]);
    for (const who of [user, person('user')]) {
      expect(answer(await claim(who, device.name, { secretKey: 'abc' }))).toEqual([400, 'CLAIMED']);
    }
    expect((await release(person('user'), device.name)).body.code).toBe('NOT_FOUND');
    expect((await release(user, device.name)).status).toBe(200);
    expect((await services.call(user, `GET /api/devices/${device.id}`)).status).toBe(404);
    await announce(await refOf(device.id), 'next');
    expect((await claim(person('user'), device.name, { secretKey: 'next' })).status).toBe(200);
  });

  test('a device that announced no secret waits for a day, to be claimed by its name', async () => {
    const device = await newDevice();
    const before = Date.now();
    const { expiresAt } = await announce(device);
    expect(expiresAt).toBeGreaterThanOrEqual(before + 86_400_000);
    expect((await claim(person('user'), device.name)).status).toBe(200);
  });

  test('the pair key of such a device is its name and its secret', async () => {
    const device = await newDevice({ name: 'A' });
    await announce(device, '');
    const reply = await services.call(person('user'), 'POST /api/claims', { pairKey: 'A/' });
    expect(reply).toMatchObject({ status: 200, body: { id: device.id } });
    const long = await newDevice({ name: 'x'.repeat(128) });
    await announce(long, 'y'.repeat(128));
    const pairKey = `${'x'.repeat(128)}/${'y'.repeat(128)}`;
    expect((await services.call(person('user'), 'POST /api/claims', { pairKey })).status).toBe(200);
  });

  test('a device that announces another secret waits with that one alone; its secrets are not kept', async () => {
    const device = await newDevice();
    await announce(device, 'the first secret');
    await announce(device, 'the second secret');
    const tickets = await services.provisioning.getRepository(PairTicketEntity).find();
    expect(JSON.stringify(tickets)).not.toContain('secret');
    expect((await claim(person('user'), device.name, { secretKey: 'the first secret' })).body).toBe('FAILURE');
    expect((await claim(person('user'), device.name, { secretKey: 'the second secret' })).status).toBe(200);
  });

  test('of two devices of one name the second one waits with a secret of its own', async () => {
    const name = randomUUID();
    const [one, other] = [await newDevice({ name }), await newDevice({ name })];
    await announce(one, 's');
    await expect(announce(other, 's')).rejects.toMatchObject({ code: 'PAIR_KEY_TAKEN' });
    await announce(other, 't');
    expect((await claim(person('user'), name, { secretKey: 't' })).body.device.id).toBe(other.id);
    expect((await claim(person('user'), name, { secretKey: 's' })).body.device.id).toBe(one.id);
  });

  test('a device that waits no more cannot be claimed, nor one with an owner announced', async () => {
    const device = await newDevice();
    await announce(device, 's', 1);
    await services.provisioning
      .getRepository(PairTicketEntity)
      .update({ deviceId: device.id }, { expiresAt: new Date(Date.now() - 1) });
    const user = person('user');
    expect((await claim(user, device.name, { secretKey: 's' })).body).toBe('FAILURE');
    await announce(device, 's');
    await claim(user, device.name, { secretKey: 's' });
    await expect(announce(await refOf(device.id), 't')).rejects.toMatchObject({ code: 'ALREADY_CLAIMED' });
  });

  test('secrets that nobody could enter are refused', async () => {
    for (const secret of ['a\nb', '\ud800']) {
      await expect(announce(await newDevice(), secret)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
  });

  test('who guesses has to wait', async () => {
    const device = await newDevice();
    await announce(device, 'secret');
    const user = person('user');
    for (let guess = 0; guess < 20; guess += 1) await claim(user, device.name, { secretKey: String(guess) });
    const reply = await claim(user, device.name, { secretKey: 'secret' });
    expect(reply).toMatchObject({ status: 429, body: { code: 'TOO_MANY_ATTEMPTS' } });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('only people of the customer of a device claim it; the others learn nothing of it', async () => {
    const { body: customer } = await services.call(admin, 'POST /api/customers', { number: randomUUID(), name: 'A' });
    const device = await newDevice({ customer: customer.id });
    await announce(device, 's');
    expect(answer(await claim(person('user'), device.name, { secretKey: 's' }))).toEqual([400, 'FAILURE']);
    expect((await claim(person('user', customer.id), device.name, { secretKey: 's' })).status).toBe(200);
  });

  test.each<[string, unknown]>([
    ['x'.repeat(129), {}],
    ['A', { secretKey: 1 }],
    ['A', { secretKey: 'x'.repeat(129) }],
    ['A', []],
  ])('a request that is none is refused: %j %j', async (name, body) => {
    expect(await claim(person('user'), name, body)).toMatchObject({ status: 422, body: { code: 'INVALID_INPUT' } });
  });

  test('nobody claims or releases without a token', async () => {
    expect([(await claim(nobody, 'A')).status, (await release(nobody, 'A')).status]).toEqual([401, 401]);
  });
});
