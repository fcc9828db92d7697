import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith, freshMysqlDatabase } from '#testing';
import { Housekeeping } from '../../provisioning/src/housekeeping/housekeeping.ts';
import { PairTicketEntity } from '../../provisioning/src/pairing/pair-ticket.entity.ts';
import { onEveryDatabase } from './on-every-database.ts';
import { bearer, nobody, person, startWaysIn, type Caller, type Reply, type StartedWaysIn } from './started-ways-in.ts';

/** How many wrong keys one person, and one address, may try. */
const USER_LIMIT = 20;
const ADDRESS_LIMIT = 200;

interface NewDevice extends Required<Pick<Caller, 'authorization'>> {
  id: string;
}

onEveryDatabase('pairing', (databaseUrl) => {
  const admin = person('admin');
  let services: StartedWaysIn;
  beforeAll(async () => {
    services = await startWaysIn(databaseUrl);
  });
  afterAll(() => services.stop());

  const newDevice = async (customer: string | null = null): Promise<NewDevice> => {
    const { id } = (await services.call(admin, 'POST /api/devices', { name: randomUUID(), customer })).body;
    const { accessToken } = (await services.call(admin, `POST /api/devices/${id}/credentials`)).body;
    return { id, authorization: `Bearer ${accessToken}` };
  };
  const newCustomer = async (): Promise<string> =>
    (await services.call(admin, 'POST /api/customers', { number: randomUUID(), name: 'A' })).body.id;
  const announce = (device: Caller, pairKey: string, more: object = {}) =>
    services.call(device, 'POST /provisioning/pair', { pairKey, ownerKey: 'a secret of the app', ...more });
  const claim = (who: Caller, pairKey: string, more: object = {}, from?: string) =>
    services.call(who, 'POST /api/claims', { pairKey, ...more }, from);
  const tickets = () => services.provisioning.getRepository(PairTicketEntity);
  const expire = (device: NewDevice, agoMs = 0) =>
    tickets().update({ deviceId: device.id }, { expiresAt: new Date(Date.now() - agoMs) });
  const answer = ({ status, body }: Reply) => `${String(status)} ${body.code}`;

  test('a device that announces itself is claimed, and is then seen by its owner', async () => {
    const device = await newDevice();
    const user = person('user');
    const pairKey = randomUUID();
    const before = Date.now();
    const announced = await announce(device, pairKey);
    expect(announced.status).toBe(200);
    const { expiresAt } = announced.body;
    expect(expiresAt).toBeGreaterThanOrEqual(before + 300_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 300_000);
    const claimed = await claim(user, pairKey, { ownerKey: 'a secret of the app' });
    expect(claimed).toMatchObject({
      status: 200,
      body: { id: device.id, name: expect.any(String), kind: 'direct', state: 'created', owner: user.userId },
    });
    expect((await services.call(user, `GET /api/devices/${device.id}`)).status).toBe(200);
    const stored = JSON.stringify(await tickets().findOneByOrFail({ deviceId: device.id }));
    for (const secret of [pairKey, 'a secret of the app']) expect(stored).not.toContain(secret);
  });

  test('of fifty who claim at once one is the owner, and the others are told so', async () => {
    const device = await newDevice();
    const pairKey = randomUUID();
    await announce(device, pairKey);
    const replies = await Promise.all(Array.from({ length: 50 }, () => claim(person('user'), pairKey)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = replies.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(answer))).toEqual(new Set(['409 ALREADY_CLAIMED']));
    const { body } = await services.call(admin, `GET /api/devices/${device.id}`);
    expect(body['owner']).toBe(replies.find(({ status }) => status === 200)?.body['owner']);
  });

  test('announcing again renews, also with other keys, also many times at once', async () => {
    const device = await newDevice();
    const [first, second] = [randomUUID(), randomUUID()];
    const replies = await Promise.all(Array.from({ length: 20 }, () => announce(device, first)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const longer = await announce(device, first, { validSeconds: 86_400 });
    expect(longer.body['expiresAt']).toBeGreaterThan(Date.now() + 86_000_000);
    await announce(device, second);
    expect(answer(await claim(person('user'), first))).toBe('404 PAIR_KEY_UNKNOWN');
    expect((await claim(person('user'), second)).status).toBe(200);
  });

  test('a key that another device waits with is taken, until its time is over or it was claimed', async () => {
    const [one, two, three] = [await newDevice(), await newDevice(), await newDevice()];
    const pairKey = randomUUID();
    await announce(one, pairKey);
    expect(answer(await announce(two, pairKey))).toBe('409 PAIR_KEY_TAKEN');
    await expire(one);
    expect((await announce(two, pairKey)).status).toBe(200);
    const user = person('user');
    expect(await claim(user, pairKey)).toMatchObject({ status: 200, body: { id: two.id } });
    expect((await announce(three, pairKey)).status).toBe(200);
    expect(await claim(user, pairKey)).toMatchObject({ status: 200, body: { id: three.id } });
  });

  test('of many devices that announce one key at once one waits with it', async () => {
    const devices = await Promise.all(Array.from({ length: 10 }, () => newDevice()));
    const pairKey = randomUUID();
    const replies = await Promise.all(devices.map((device) => announce(device, pairKey)));
    expect(replies.map(answer).sort()).toEqual(['200 undefined', ...Array<string>(9).fill('409 PAIR_KEY_TAKEN')]);
  });

  test('a wrong key, a wrong secret of the app, and a key that expired are told apart from one another', async () => {
    const device = await newDevice();
    const user = person('user');
    const pairKey = randomUUID();
    await announce(device, pairKey);
    expect(answer(await claim(user, randomUUID()))).toBe('404 PAIR_KEY_UNKNOWN');
    expect(answer(await claim(user, pairKey, { ownerKey: 'another secret' }))).toBe('404 PAIR_KEY_UNKNOWN');
    await expire(device);
    expect(answer(await claim(user, pairKey))).toBe('410 PAIR_KEY_EXPIRED');
    expect(answer(await claim(user, pairKey, { ownerKey: 'another secret' }))).toBe('404 PAIR_KEY_UNKNOWN');
    await announce(device, pairKey);
    expect((await claim(user, pairKey)).status).toBe(200);
  });

  test('who asks again is told that it is theirs, and others that it is not, also after the device announced itself anew', async () => {
    const device = await newDevice();
    const [user, other] = [person('user'), person('user')];
    for (const pairKey of [randomUUID(), randomUUID()]) {
      expect((await announce(device, pairKey)).status).toBe(200);
      const first = await claim(user, pairKey);
      expect(['200 undefined', '409 OWN_DEVICE']).toContain(answer(first));
      expect(answer(await claim(user, pairKey))).toBe('409 OWN_DEVICE');
      expect(answer(await claim(other, pairKey))).toBe('409 ALREADY_CLAIMED');
    }
  });

  test('a service that ends between the two steps of a claim leaves a ticket that leads nowhere else', async () => {
    const device = await newDevice();
    const [user, other] = [person('user'), person('user')];
    const pairKey = randomUUID();
    await announce(device, pairKey);
    await claim(user, pairKey);
    await tickets().update({ deviceId: device.id }, { claimedBy: null });
    expect(answer(await claim(other, pairKey))).toBe('409 ALREADY_CLAIMED');
    expect(answer(await claim(user, pairKey))).toBe('409 OWN_DEVICE');
  });

  test('a device learns that it was claimed by its key, and can be claimed again once it was released', async () => {
    const device = await newDevice();
    const [user, next] = [person('user'), person('user')];
    const pairKey = randomUUID();
    await announce(device, pairKey);
    await claim(user, pairKey);
    expect(answer(await announce(device, pairKey))).toBe('409 ALREADY_CLAIMED');
    expect((await services.call(user, `POST /api/devices/${device.id}/release`)).status).toBe(204);
    expect(answer(await claim(next, pairKey))).toBe('409 ALREADY_CLAIMED');
    expect((await announce(device, pairKey)).status).toBe(200);
    expect((await claim(next, pairKey)).status).toBe(200);
  });

  test("a customer's device is for users of that customer; others learn nothing of it", async () => {
    const [ours, theirs] = [await newCustomer(), await newCustomer()];
    const device = await newDevice(ours);
    const pairKey = randomUUID();
    await announce(device, pairKey);
    for (const who of [person('user'), person('user', theirs), person('operator', theirs)]) {
      expect(answer(await claim(who, pairKey))).toBe('404 PAIR_KEY_UNKNOWN');
    }
    expect((await claim(person('user', ours), pairKey)).status).toBe(200);
  });

  test('a device that was deleted cannot be claimed', async () => {
    const device = await newDevice();
    const pairKey = randomUUID();
    await announce(device, pairKey);
    await services.call(admin, `DELETE /api/devices/${device.id}`);
    expect(answer(await claim(person('user'), pairKey))).toBe('404 PAIR_KEY_UNKNOWN');
  });

  describe('guessing', () => {
    test('is stopped for whoever guesses, the right key included, and for nobody else', async () => {
      const device = await newDevice();
      const [guesser, other] = [person('user'), person('user')];
      const pairKey = randomUUID();
      await announce(device, pairKey);
      const guesses = await Promise.all(
        Array.from({ length: USER_LIMIT + 5 }, () => claim(guesser, randomUUID(), {}, '198.51.100.1')),
      );
      expect(guesses.filter(({ status }) => status === 404)).toHaveLength(USER_LIMIT);
      const refused = await claim(guesser, pairKey, {}, '198.51.100.2');
      expect(answer(refused)).toBe('429 TOO_MANY_ATTEMPTS');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(600);
      expect((await claim(other, pairKey, {}, '198.51.100.1')).status).toBe(200);
    });

    test('is stopped for an address from which many guess', async () => {
      const from = '198.51.100.7';
      const guesser = () => claim(person('user'), randomUUID(), {}, from);
      for (let tried = 0; tried < ADDRESS_LIMIT; tried += 50) {
        const replies = await Promise.all(Array.from({ length: 50 }, guesser));
        expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([404]));
      }
      expect(answer(await guesser())).toBe('429 TOO_MANY_ATTEMPTS');
      expect((await claim(person('user'), randomUUID(), {}, '198.51.100.8')).status).toBe(404);
    }, 60_000);

    test('is not what those do who know the key', async () => {
      const device = await newDevice();
      const user = person('user');
      const pairKey = randomUUID();
      await announce(device, pairKey);
      await claim(user, pairKey);
      for (let tried = 0; tried < USER_LIMIT + 5; tried += 1) {
        expect(answer(await claim(user, pairKey))).toBe('409 OWN_DEVICE');
      }
    });
  });

  test('tickets are swept once nobody needs to be told of them any more', async () => {
    const [late, older, live] = [await newDevice(), await newDevice(), await newDevice()];
    const pairKey = randomUUID();
    await announce(late, pairKey);
    for (const device of [older, live]) await announce(device, randomUUID());
    await expire(late, 60_000);
    await expire(older, 3_700_000);
    await services.app.get(Housekeeping, { strict: false }).clean();
    expect(answer(await claim(person('user'), pairKey))).toBe('410 PAIR_KEY_EXPIRED');
    expect(await tickets().existsBy({ deviceId: older.id })).toBe(false);
    expect(await tickets().existsBy({ deviceId: live.id })).toBe(true);
  });

  test('only devices announce themselves, and only people claim', async () => {
    const device = await newDevice();
    expect(answer(await announce(nobody, randomUUID()))).toBe('401 UNAUTHENTICATED');
    expect(answer(await announce(bearer('wrong'), randomUUID()))).toBe('401 BAD_CREDENTIALS');
    for (const who of [admin, person('user')]) {
      expect(answer(await announce(who, randomUUID()))).toBe('403 FORBIDDEN');
    }
    for (const who of [nobody, device, bearer('fpk_x')]) {
      expect((await claim(who, randomUUID())).status).toBe(401);
    }
  });

  test('a device announces itself by user name and password too', async () => {
    const number = `n${randomUUID()}`;
    await services.call(admin, 'POST /api/customers', { number, name: 'A' });
    const identity = { customer_id: number, mac_address: '44:8a:5b:9c:70:93' };
    const { password } = (await services.call(nobody, 'POST /provisioning/register', identity)).body;
    await services.call(nobody, 'POST /provisioning/activate', { ...identity, password });
    const basic = Buffer.from(`${number}/448A5B9C7093:${String(password)}`).toString('base64');
    expect((await announce({ authorization: `Basic ${basic}` }, randomUUID())).status).toBe(200);
  });

  test.each<[string, object, string]>([
    ['a short pair key', { pairKey: '12345' }, '/pairKey'],
    ['a pair key of spaces', { pairKey: ' '.repeat(10) }, '/pairKey'],
    ['a long pair key', { pairKey: 'x'.repeat(129) }, '/pairKey'],
    ['a pair key that is an operator', { pairKey: { $gt: '' } }, '/pairKey'],
    ['a short owner key', { ownerKey: '1234567' }, '/ownerKey'],
    ['no owner key', { ownerKey: undefined }, '/ownerKey'],
    ['too short a time', { validSeconds: 29 }, '/validSeconds'],
    ['too long a time', { validSeconds: 86_401 }, '/validSeconds'],
    ['a field too many', { device: randomUUID() }, '/device'],
  ])('an announcement with %s is refused', async (_what, wrong, path) => {
    const device = await newDevice();
    const { status, body } = await announce(device, randomUUID(), wrong);
    expect({ status, paths: [...new Set(body.errors.map((error) => error.path))] }).toEqual({
      status: 422,
      paths: [path],
    });
  });

  test.each<[string, object, string]>([
    ['no pair key', { pairKey: undefined }, '/pairKey'],
    ['an owner key of a number', { ownerKey: 12_345_678 }, '/ownerKey'],
    ['a field too many', { user: randomUUID() }, '/user'],
  ])('a claim with %s is refused', async (_what, wrong, path) => {
    const { status, body } = await claim(person('user'), randomUUID(), wrong);
    expect({ status, paths: body.errors.map((error) => error.path) }).toEqual({ status: 422, paths: [path] });
  });
});

describeWith(['mysql'], 'pairing with two replicas', () => {
  test('guesses count on both, and a device that announced itself to one is claimed at the other', async () => {
    const databases = [await freshMysqlDatabase(), await freshMysqlDatabase()];
    const start = () => {
      const urls = databases.map(({ url }) => url);
      return startWaysIn(() => Promise.resolve(urls.shift() ?? ''));
    };
    const [one, two] = [await start(), await start()];
    try {
      const guesser = person('user');
      const guesses = await Promise.all(
        Array.from({ length: USER_LIMIT * 2 }, (_, n) =>
          (n % 2 === 0 ? one : two).call(guesser, 'POST /api/claims', { pairKey: randomUUID() }),
        ),
      );
      expect(guesses.filter(({ status }) => status === 404)).toHaveLength(USER_LIMIT);
      expect(guesses.filter(({ status }) => status === 429)).toHaveLength(USER_LIMIT);
      const { accessToken } = await one.rpc.call('registry.devices.provisionByMac', { macAddress: 'CE:13' });
      const pairKey = randomUUID();
      const pair = { pairKey, ownerKey: 'a secret of the app' };
      expect((await one.call(bearer(accessToken), 'POST /provisioning/pair', pair)).status).toBe(200);
      expect((await two.call(person('user'), 'POST /api/claims', { pairKey })).status).toBe(200);
      expect((await one.call(person('user'), 'POST /api/claims', { pairKey })).body.code).toBe('ALREADY_CLAIMED');
    } finally {
      await one.stop();
      await two.stop();
    }
  }, 60_000);
});
