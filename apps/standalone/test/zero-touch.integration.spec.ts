import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ConfigError } from '#platform';
import {
  KeyUseEntity,
  ProvisioningKeyEntity,
} from '../../provisioning/src/provisioning-keys/provisioning-key.entity.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { bearer, nobody, person, startWaysIn, type Caller, type Json, type StartedWaysIn } from './started-ways-in.ts';

const LOCATION = { country: 'Iceland', state: 'Vesturland', latitude: 64.54, longitude: -21.92 };
const KNOWN_ADDRESS = '8.8.8.8';

onEveryDatabase('zero touch', (databaseUrl) => {
  const admin = person('admin');
  let world: Server;
  let services: StartedWaysIn;
  const asked: string[] = [];

  beforeAll(async () => {
    world = createServer((request, response) => {
      const address = request.url?.slice(1) ?? '';
      asked.push(address);
      const known = { country_name: 'United States', region: 'California', latitude: 37.4, longitude: -122.1 };
      response.end(JSON.stringify(address === KNOWN_ADDRESS ? known : {}));
    });
    await new Promise<void>((listening) => world.listen(0, '127.0.0.1', listening));
    services = await startWaysIn(databaseUrl, { LOCATION_URL: `${urlOf(world)}/{ip}` });
    await makeProfiles(services);
  });
  afterAll(async () => {
    await services.stop();
    world.closeAllConnections();
    await new Promise((closed) => world.close(closed));
  });

  const newCustomer = async (deviceLimit: number | null = null): Promise<{ id: string; number: string }> => {
    const number = randomUUID();
    const { body } = await services.call(admin, 'POST /api/customers', { number, name: 'A', deviceLimit });
    return { id: body.id, number };
  };
  const newKey = async (who: Caller, options: object = {}): Promise<Json> => {
    const { status, body } = await services.call(who, 'POST /api/provisioning/keys', { name: 'fleet', ...options });
    expect(status).toBe(201);
    return body;
  };
  const operatorOf = async (deviceLimit?: number) => {
    const customer = await newCustomer(deviceLimit);
    return { customer, operator: person('operator', customer.id) };
  };
  const provision = (who: Caller, request: object = {}, from?: string) =>
    services.call(who, 'POST /api/provision', { ...requestOf(), ...request }, from);
  const usesOf = async (who: Caller, id: string): Promise<number | undefined> =>
    (await services.call(who, 'GET /api/provisioning/keys')).body.items.find((key) => key.id === id)?.uses;

  test('by a key, a device gets its place and its token, and the same ones again', async () => {
    const { customer, operator } = await operatorOf();
    const { key, id } = await newKey(operator);
    const request = requestOf({ macAddress: '44-8a-5b-9c-70-93', system: { os: 'Debian 13' } });
    const first = await provision(bearer(key), request);
    expect(first).toMatchObject({
      status: 201,
      body: {
        device: {
          id: expect.any(String),
          name: request.name,
          kind: 'direct',
          state: 'provisioned',
          customer: customer.id,
          owner: null,
          master: null,
        },
        created: true,
        assets: [
          { id: expect.any(String), name: 'Iceland', profile: 'Country' },
          { id: expect.any(String), name: 'Vesturland', profile: 'State' },
        ],
        accessToken: expect.any(String),
        location: { ...LOCATION, source: 'request' },
        warnings: [],
      },
    });
    const again = await provision(bearer(key), request);
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, created: false });
    expect(await usesOf(operator, id)).toBe(1);
    const pair = { pairKey: randomUUID(), ownerKey: randomUUID() };
    expect((await services.call(bearer(first.body.accessToken), 'POST /provisioning/pair', pair)).status).toBe(200);
    const { body } = await services.call(admin, `GET /api/devices/${first.body.device.id}`);
    expect(body).toMatchObject({ macAddress: '44:8A:5B:9C:70:93', attributes: { system: { os: 'Debian 13' } } });
    const audit = await services.call(admin, `GET /api/audit?subject=${first.body.device.id}`);
    expect(JSON.stringify(audit.body)).toContain(id);
  });

  test('of fifty at once each device counts once for its key, and one country is made', async () => {
    const { operator } = await operatorOf();
    const { key, id } = await newKey(operator, { maxUses: 10 });
    const ask = (n: number) => provision(bearer(key), { name: `d${String(n)}`, serial: `S${String(n)}` });
    const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n % 10)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 201]));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(new Set(replies.map(({ body }) => body.accessToken)).size).toBe(10);
    expect(new Set(replies.map(({ body }) => JSON.stringify(body.assets))).size).toBe(1);
    expect(await usesOf(operator, id)).toBe(10);
    expect(await ask(10)).toMatchObject({ status: 403, body: { code: 'PROVISIONING_KEY_USED_UP' } });
    expect(await ask(3)).toMatchObject({ status: 200 });
  }, 60_000);

  test('of fifty devices at once a key lets in as many as it says', async () => {
    const { customer, operator } = await operatorOf();
    const { key, id } = await newKey(operator, { maxUses: 5 });
    const replies = await Promise.all(Array.from({ length: 50 }, () => provision(bearer(key))));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(5);
    const refused = replies.filter(({ status }) => status !== 201);
    expect(new Set(refused.map(({ body }) => body.code))).toEqual(new Set(['PROVISIONING_KEY_USED_UP']));
    expect(await usesOf(operator, id)).toBe(5);
    const { body } = await services.call(admin, `GET /api/customers/${customer.id}`);
    expect(body['deviceCount']).toBe(5);
  }, 60_000);

  test('a request that fails costs no use', async () => {
    const { operator } = await operatorOf(1);
    const { key, id } = await newKey(operator, { maxUses: 2 });
    const unknown = await provision(bearer(key), { deviceProfile: 'Nonesuch' });
    expect(unknown).toMatchObject({
      status: 404,
      body: { code: 'PROFILE_NOT_FOUND', errors: [{ path: '/deviceProfile' }] },
    });
    expect(unknown.body.detail).toContain('"Nonesuch"');
    expect(await usesOf(operator, id)).toBe(0);
    const request = requestOf();
    await provision(bearer(key), request);
    expect(await provision(bearer(key), { ...request, serial: 'other' })).toMatchObject({
      status: 409,
      body: { code: 'DEVICE_MISMATCH' },
    });
    expect(await provision(bearer(key))).toMatchObject({ status: 409, body: { code: 'DEVICE_LIMIT_REACHED' } });
    expect(await provision(bearer(key), { ...request, stateProfile: 'Nonesuch' })).toMatchObject({ status: 404 });
    expect(await usesOf(operator, id)).toBe(1);
  });

  test('a use that was taken by a service which ended before the device was made comes back', async () => {
    const { operator } = await operatorOf();
    const { key, id } = await newKey(operator, { maxUses: 1 });
    const cutOff = { keyId: id, deviceHash: 'x', confirmed: false, pending: 1, askedAt: new Date() };
    await services.provisioning.manager.insert(KeyUseEntity, cutOff);
    await services.provisioning.manager.update(ProvisioningKeyEntity, { id }, { uses: 1 });
    expect(await provision(bearer(key))).toMatchObject({ body: { code: 'PROVISIONING_KEY_USED_UP' } });
    await services.provisioning.manager.update(KeyUseEntity, { keyId: id }, { askedAt: new Date(Date.now() - 61_000) });
    expect((await provision(bearer(key))).status).toBe(201);
    expect(await usesOf(operator, id)).toBe(1);
  });

  test('a key that expired, was revoked or never was lets nobody in', async () => {
    const { operator } = await operatorOf();
    const { key, id } = await newKey(operator, { expiresAt: Date.now() + 60_000 });
    expect((await provision(bearer(key))).status).toBe(201);
    await services.provisioning.manager.update(ProvisioningKeyEntity, { id }, { expiresAt: new Date() });
    expect(await provision(bearer(key))).toMatchObject({ status: 401, body: { code: 'TOKEN_EXPIRED' } });
    const other = await newKey(operator);
    expect((await services.call(operator, `DELETE /api/provisioning/keys/${other.id}`)).status).toBe(204);
    for (const wrong of [other.key, `${other.key}x`, 'fpk_', 'fpk_x']) {
      expect(await provision(bearer(wrong))).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    }
    for (const route of ['GET /api/devices', 'GET /api/provisioning/keys'] as const) {
      expect((await services.call(bearer((await newKey(operator)).key), route)).status).toBe(401);
    }
  });

  test('administrators and operators may, users, devices and strangers may not', async () => {
    const { customer, operator } = await operatorOf();
    expect(await provision(operator)).toMatchObject({ status: 201, body: { device: { customer: customer.id } } });
    const given = await provision(admin);
    expect(given).toMatchObject({ status: 201, body: { device: { customer: null } } });
    for (const named of [customer.number, customer.id]) {
      expect(await provision(admin, { customer: named })).toMatchObject({
        status: 201,
        body: { device: { customer: customer.id } },
      });
    }
    for (const who of [
      person('user'),
      person('user', customer.id),
      person('operator'),
      bearer(given.body.accessToken),
    ]) {
      expect(await provision(who)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    }
    expect(await services.call(nobody, 'POST /api/provision')).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHENTICATED' },
    });
    expect(await provision(bearer('wrong'))).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
  });

  test('a customer that is not theirs is answered like one that is not there', async () => {
    const [ours, theirs] = [await operatorOf(), await operatorOf()];
    const { key } = await newKey(ours.operator);
    const details = new Set<string>();
    for (const who of [ours.operator, bearer(key)]) {
      for (const customer of [theirs.customer.number, theirs.customer.id, randomUUID()]) {
        const { status, body } = await provision(who, { customer });
        expect({ status, path: body.errors[0]?.path }).toEqual({ status: 422, path: '/customer' });
        details.add(body.detail);
      }
      expect((await provision(who, { customer: ours.customer.number })).status).toBe(201);
    }
    expect(details.size).toBe(1);
    expect((await provision(admin, { customer: 'nonesuch' })).status).toBe(422);
    const ofNoCustomer = await newKey(admin);
    expect((await provision(bearer(ofNoCustomer.key), { customer: ours.customer.id })).status).toBe(422);
    expect(await provision(bearer(ofNoCustomer.key))).toMatchObject({ body: { device: { customer: null } } });
  });

  describe('without a location in the request', () => {
    test('it is looked up by the address, once for each', async () => {
      const replies = await Promise.all(
        Array.from({ length: 5 }, () => provision(admin, { location: undefined }, KNOWN_ADDRESS)),
      );
      for (const { body } of replies) {
        expect(body).toMatchObject({
          location: { country: 'United States', state: 'California', latitude: 37.4, source: 'ip' },
          warnings: [],
          assets: [{ name: 'United States' }, { name: 'California' }],
        });
      }
      expect(asked.filter((address) => address === KNOWN_ADDRESS)).toHaveLength(1);
    });

    test('where nothing is known the device is made without assets, with a warning that says what to set', async () => {
      for (const from of ['7.7.7.7', '192.168.1.1']) {
        const { status, body } = await provision(admin, { location: undefined }, from);
        expect({ status, body }).toMatchObject({
          status: 201,
          body: { assets: [], location: null, warnings: [{ code: 'LOCATION_UNKNOWN' }] },
        });
        expect(JSON.stringify(body['warnings'])).toContain('LOCATION_COUNTRY');
        expect(body.accessToken).toEqual(expect.any(String));
      }
      expect(asked).not.toContain('192.168.1.1');
    });
  });

  test.each<[string, object, string]>([
    ['without a name', { name: undefined }, '/name'],
    ['without a serial number', { serial: undefined }, '/serial'],
    ['with a name of control characters', { name: 'a\u0000' }, '/name'],
    ['with a wrong MAC address', { macAddress: 'zz' }, '/macAddress'],
    ['without a device profile', { deviceProfile: undefined }, '/deviceProfile'],
    ['without a country', { location: { state: 'Vesturland' } }, '/location/country'],
    ['without a state', { location: { country: 'Iceland' } }, '/location/state'],
    ['off the map', { location: { ...LOCATION, latitude: 90.1 } }, '/location/latitude'],
    ['at a longitude of text', { location: { ...LOCATION, longitude: '1' } }, '/location/longitude'],
    ['with half a point', { location: { ...LOCATION, longitude: undefined } }, '/location/longitude'],
    ['with a field too many', { colour: 'red' }, '/colour'],
    ['with a field too many in its location', { location: { ...LOCATION, planet: 'Mars' } }, '/location/planet'],
    ['with too much of its system', { system: { text: 'x'.repeat(16_000) } }, '/system'],
    ['with half a surrogate pair', { system: { text: '\ud800' } }, '/system'],
    ['with a system that is a list', { system: [1] }, '/system'],
  ])('refuses a device %s', async (_what, wrong, path) => {
    const { status, body } = await provision(admin, wrong);
    expect({ status, code: body.code, paths: body.errors.map((error) => error.path) }).toEqual({
      status: 422,
      code: 'INVALID_INPUT',
      paths: [path],
    });
  });

  test('refuses a bomb of nested objects', async () => {
    const bomb = `${'{"in":'.repeat(100_000)}{}${'}'.repeat(100_000)}`;
    const text = JSON.stringify({ ...requestOf(), system: {} }).replace('"system":{}', `"system":${bomb}`);
    const { status, body } = await services.call(admin, 'POST /api/provision', text);
    expect({ status, paths: body.errors.map(({ path }) => path) }).toEqual({ status: 422, paths: ['/system'] });
  });

  describe('keys', () => {
    test('are shown once, and listed without their secrets to those who may', async () => {
      const [ours, theirs] = [await operatorOf(), await operatorOf()];
      const expiresAt = Date.now() + 3_600_000;
      const made = await newKey(ours.operator, {
        name: 'Hall',
        expiresAt: new Date(expiresAt).toISOString(),
        maxUses: 3,
      });
      expect(made).toMatchObject({
        id: expect.any(String),
        key: expect.stringMatching(/^fpk_[\w-]{32}$/),
        name: 'Hall',
        customer: ours.customer.id,
        expiresAt,
        maxUses: 3,
        uses: 0,
        createdBy: ours.operator.userId,
      });
      const list = await services.call(ours.operator, 'GET /api/provisioning/keys');
      const { key, ...rest } = made;
      expect(list.body.items).toEqual([rest]);
      expect((await services.call(theirs.operator, 'GET /api/provisioning/keys')).body.items).toEqual([]);
      const ofAdmin = await services.call(admin, `GET /api/provisioning/keys?customer=${ours.customer.id}&q=hAl`);
      expect(ofAdmin.body.items).toEqual([rest]);
      const stored = await services.provisioning.manager.findOneByOrFail(ProvisioningKeyEntity, { id: made.id });
      expect(JSON.stringify(stored)).not.toContain(key);
      for (const who of [theirs.operator, person('operator')]) {
        expect((await services.call(who, `DELETE /api/provisioning/keys/${made.id}`)).status).toBe(404);
      }
      expect((await services.call(ours.operator, `DELETE /api/provisioning/keys/${made.id}`)).status).toBe(204);
      expect((await services.call(ours.operator, `DELETE /api/provisioning/keys/${made.id}`)).status).toBe(404);
    });

    test('come in pages, by name or by when they were made', async () => {
      const { operator } = await operatorOf();
      for (const name of ['c', 'A', 'b']) await newKey(operator, { name });
      const names = async (query: string, cursor = ''): Promise<string[]> => {
        const { body } = await services.call(operator, `GET /api/provisioning/keys?${query}${cursor}`);
        const found = body.items.map(({ name }) => name);
        return body.nextCursor === null ? found : [...found, ...(await names(query, `&cursor=${body.nextCursor}`))];
      };
      expect(await names('limit=2')).toEqual(['c', 'A', 'b']);
      expect(await names('limit=1&sort=name')).toEqual(['A', 'b', 'c']);
      expect(await names('limit=2&sort=-name')).toEqual(['c', 'b', 'A']);
    });

    test.each<[string, object, string]>([
      ['without a name', { name: undefined }, '/name'],
      ['that expires in the past', { expiresAt: 1 }, '/expiresAt'],
      ['that expires at no time', { expiresAt: 'tomorrow' }, '/expiresAt'],
      ['for no device', { maxUses: 0 }, '/maxUses'],
      ['for half a device', { maxUses: 1.5 }, '/maxUses'],
      ['for a customer that is not there', { customer: 'nonesuch' }, '/customer'],
      ['with a field too many', { key: 'fpk_mine' }, '/key'],
    ])('are not made %s', async (_what, wrong, path) => {
      const { status, body } = await services.call(admin, 'POST /api/provisioning/keys', { name: 'x', ...wrong });
      expect({ status, paths: [...new Set(body.errors.map((error) => error.path))] }).toEqual({
        status: 422,
        paths: [path],
      });
    });

    test("are not for users, nor for another operator's customer", async () => {
      const [ours, theirs] = [await operatorOf(), await operatorOf()];
      const make = (who: Caller, customer?: string) =>
        services.call(who, 'POST /api/provisioning/keys', { name: 'x', customer });
      expect((await make(person('user', ours.customer.id))).status).toBe(403);
      expect((await make(person('operator'))).status).toBe(403);
      expect((await make(nobody)).status).toBe(401);
      expect((await make(ours.operator, theirs.customer.id)).status).toBe(422);
      expect((await make(ours.operator, ours.customer.number)).status).toBe(201);
    });
  });
});

describe('zero touch with a configured location', () => {
  const PLACE = { LOCATION_COUNTRY: 'Iceland', LOCATION_STATE: 'Vesturland' };
  let services: StartedWaysIn;
  beforeAll(async () => {
    services = await startWaysIn(() => Promise.resolve('file::memory:'), {
      ...PLACE,
      LOCATION_LATITUDE: '64.5',
      LOCATION_LONGITUDE: '-21.9',
      LOCATION_URL: 'http://127.0.0.1:9/{ip}',
      LOCATION_MMDB: '/nowhere/cities.mmdb',
    });
    await makeProfiles(services);
  });
  afterAll(() => services.stop());

  test.each([
    [KNOWN_ADDRESS, 'could not be reached'],
    ['10.1.1.1', 'not a public one'],
  ])('a device from %s is there, with a warning of why', async (from, why) => {
    const request = { ...requestOf(), location: undefined };
    const { status, body } = await services.call(person('admin'), 'POST /api/provision', request, from);
    expect({ status, body }).toMatchObject({
      status: 201,
      body: {
        location: { country: 'Iceland', state: 'Vesturland', latitude: 64.5, longitude: -21.9, source: 'config' },
        warnings: [{ code: 'LOCATION_FALLBACK', message: expect.stringContaining(why) }],
        assets: [{ name: 'Iceland' }, { name: 'Vesturland' }],
      },
    });
  });

  test.each([
    [{ LOCATION_URL: 'https://example.com/' }, /LOCATION_URL/],
    [{ LOCATION_URL: 'ftp://example.com/{ip}' }, /LOCATION_URL/],
    [{ LOCATION_TIMEOUT_MS: '0' }, /LOCATION_TIMEOUT_MS/],
    [{ LOCATION_LATITUDE: '91' }, /LOCATION_LATITUDE/],
    [{ LOCATION_COUNTRY: 'Iceland' }, /LOCATION_STATE/],
  ])('is not started with %j', async (env, words) => {
    const start = startWaysIn(() => Promise.resolve('file::memory:'), env);
    await expect(start).rejects.toBeInstanceOf(ConfigError);
    await expect(start).rejects.toThrow(words);
  });
});

const urlOf = (server: Server): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

const requestOf = (more: object = {}) => ({
  name: randomUUID(),
  serial: randomUUID(),
  deviceProfile: 'IoT-Gateway',
  location: LOCATION,
  ...more,
});

async function makeProfiles({ call }: StartedWaysIn): Promise<void> {
  await call(person('admin'), 'POST /api/device-profiles', { name: 'IoT-Gateway' });
  for (const name of ['Country', 'State']) await call(person('admin'), 'POST /api/asset-profiles', { name });
}
