import { afterAll, describe, expect, test } from '@jest/globals';
import type { House } from '../house.ts';
import { administrator, newCustomer, newDevice, newMac, newName, newUser } from '../people.ts';
import { readings, settledLedger, storedReadings } from '../readings.ts';
import { ask, connect, disconnectAll, nextEvent } from '../sockets.ts';
import { getWithBody, Visitor } from '../visitor.ts';

/** The line through the whole house: sign up, connect, get a durable receipt, see the reading. */
export function theLine(house: () => House): void {
  describe('the line through the house', () => {
    afterAll(disconnectAll);

    test('somebody signs up, logs in, and has the profile that they gave', async () => {
      const anybody = new Visitor(house());
      const email = `${newName('ada').replace(' ', '.')}@people.example`;
      const login = { email, password: 'a long enough password' };
      const signedUp = await anybody.post('/user/signup', { name: 'Ada', ...login });
      expect(signedUp.status).toBe(201);
      expect(signedUp.body).toEqual({ id: expect.any(String), name: 'Ada', email, role: 'user' });
      const loggedIn = await anybody.post('/user/login', login);
      expect(loggedIn.status).toBe(200);
      expect(loggedIn.body).toEqual({
        token: expect.any(String),
        accessToken: expect.any(String),
        tokenType: 'Bearer',
        expiresIn: expect.any(Number),
        refreshToken: expect.any(String),
      });
      expect(await anybody.post('/user/signup', { name: 'Eve', ...login })).toMatchObject({
        status: 409,
        code: 'EMAIL_TAKEN',
      });
    });

    test('an unknown email and a wrong password get the same answer', async () => {
      const anybody = new Visitor(house());
      const { email } = await newUser(house());
      const wrong = await anybody.post('/user/login', { email, password: 'not the password' });
      const unknown = await anybody.post('/user/login', { email: `no-${email}`, password: 'not the password' });
      expect(wrong).toMatchObject({ status: 401, code: 'BAD_CREDENTIALS' });
      expect(unknown.body).toEqual(wrong.body);
    });

    test('a device of a customer streams over a socket and HTTP, and its readings are found in pages and add up', async () => {
      const admin = await administrator(house());
      const device = await newDevice(admin, { customer: await newCustomer(house()) });
      const socket = await connect(house(), '/telemetry', device.token);
      const overSocket = readings(250, 'temperature');
      const overHttp = readings(250, 'humidity');
      expect(await ask(socket, 'readings', overSocket, { batchId: 'one' })).toEqual({
        ok: true,
        batchId: 'one',
        accepted: 250,
        rejected: [],
      });
      const receipt = await new Visitor(house(), device.token).post('/telemetry', overHttp);
      expect(receipt).toMatchObject({ status: 200, body: { ok: true, accepted: 250, rejected: [] } });

      expect(await settledLedger(admin, device.id)).toEqual({
        received: 500,
        stored: 500,
        duplicate: 0,
        conflict: 0,
        rejected: 0,
        queued: 0,
      });
      const stored = await storedReadings(admin, device.id, 'limit=70');
      expect(stored).toHaveLength(500);
      expect(stored.filter(({ sensor }) => sensor === 'temperature')).toEqual(
        overSocket.map((reading) => ({ ...reading, receivedAt: expect.any(Number) })),
      );
      expect(stored.map(({ ts }) => ts)).toEqual(stored.map(({ ts }) => ts).toSorted((a, b) => a - b));
      const some = await storedReadings(
        admin,
        device.id,
        `sensor=humidity&from=${overHttp[10]!.ts}&to=${overHttp[20]!.ts}`,
      );
      expect(some.map(({ value }) => value)).toEqual(expect.arrayContaining([10, 11, 12, 19]));
      expect(some.length).toBeLessThanOrEqual(11);
    });

    test('the newest reading of a sensor is that with the newest time, however late another one comes', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const gateway = new Visitor(house(), device.token);
      const now = Date.now();
      const newest = { sensor: 'level', ts: now, value: 3, unit: 'm', location: { lat: 52.5, lon: 13.4, alt: 34 } };
      await gateway.post('/telemetry', newest);
      await gateway.post('/telemetry', { sensor: 'level', ts: now - 5_000, value: 1 });
      await gateway.post('/telemetry', { sensor: 'mode', timestamp: new Date(now).toISOString(), value: 'auto' });
      await settledLedger(visitor, device.id);
      const { sensor: _, ...level } = newest;
      expect((await visitor.get(`/api/devices/${device.id}/latest`)).body).toEqual({
        level: { ...level, receivedAt: expect.any(Number) },
        mode: { value: 'auto', ts: now, receivedAt: expect.any(Number) },
      });
      expect((await visitor.get(`/api/devices/${device.id}/latest?sensors=mode`)).body).toEqual({
        mode: { value: 'auto', ts: now, receivedAt: expect.any(Number) },
      });
    });

    test('every kind of value comes back as it was sent', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const values = [
        0,
        -0.5,
        1e308,
        5e-324,
        9_007_199_254_740_991,
        true,
        false,
        '',
        'Grüße 🌡',
        "'; DROP TABLE readings; --",
        { $where: '1 == 1', 'a.b': { $ne: null }, nested: [1, [2, { deep: 'x' }]], '': 0 },
      ];
      const from = Date.now() - 60_000;
      const sent = values.map((value, index) => ({ sensor: 'any', ts: from + index, value }));
      const receipt = await new Visitor(house(), device.token).post('/telemetry', sent);
      expect(receipt).toMatchObject({ status: 200, body: { accepted: values.length, rejected: [] } });
      await settledLedger(visitor, device.id);
      expect((await storedReadings(visitor, device.id)).map(({ value }) => value)).toEqual(values);
    });

    test('a viewer gets what was missed since a time, and then what comes in', async () => {
      const { visitor, token } = await newUser(house());
      const device = await newDevice(visitor);
      const gateway = await connect(house(), '/telemetry', device.token);
      const missed = readings(3, 'pressure');
      const before = { sensor: 'pressure', ts: missed[0]!.ts - 10_000, value: 'long ago' };
      await ask(gateway, 'readings', [before, ...missed]);
      const viewer = await connect(house(), '/live', token);
      const replay = nextEvent(viewer, 'readings');
      const answer = await ask(viewer, 'subscribe', { devices: [device.id], since: missed[0]!.ts });
      expect(answer).toMatchObject({ ok: true, devices: [{ device: device.id, latest: expect.any(Object) }] });
      expect(await replay).toEqual({
        device: device.id,
        replay: true,
        readings: missed.map((reading) => ({ ...reading, receivedAt: expect.any(Number) })),
      });
      const live = nextEvent(viewer, 'readings');
      const next = { sensor: 'pressure', ts: Date.now(), value: 42 };
      await ask(gateway, 'readings', next);
      expect(await live).toMatchObject({ device: device.id, readings: [next] });
    });

    test('a viewer of some sensors gets those only, and nothing after unsubscribing', async () => {
      const { visitor, token } = await newUser(house());
      const [one, other] = [await newDevice(visitor), await newDevice(visitor)];
      const viewer = await connect(house(), '/live', token);
      const seen: unknown[] = [];
      viewer.on('readings', (event: unknown) => seen.push(event));
      await ask(viewer, 'subscribe', { devices: [one.id, other.id], sensors: ['a'] });
      const sender = new Visitor(house(), one.token);
      await sender.post('/telemetry', [
        { sensor: 'b', value: 1 },
        { sensor: 'a', value: 2 },
      ]);
      await nextEventOf(viewer, () => seen.length > 0);
      await ask(viewer, 'unsubscribe', { devices: [one.id] });
      await sender.post('/telemetry', { sensor: 'a', value: 3 });
      const ofOther = nextEvent(viewer, 'readings');
      await new Visitor(house(), other.token).post('/telemetry', { sensor: 'a', value: 4 });
      await ofOther;
      expect(seen).toMatchObject([
        { device: one.id, readings: [{ sensor: 'a', value: 2 }] },
        { device: other.id, readings: [{ sensor: 'a', value: 4 }] },
      ]);
    });

    test('the payload of the documents, with the token of a person, goes to a gateway of their own', async () => {
      const { visitor, token } = await newUser(house());
      const payload = { location: 'kitchen', sensorType: 'temperature', value: 21.5 };
      const socket = await connect(house(), '/telemetry', '', {
        auth: {},
        extraHeaders: { Authorization: `Bearer ${token}` },
      });
      expect(await ask(socket, 'readings', payload)).toMatchObject({ ok: true, accepted: 1, rejected: [] });
      expect(await visitor.post('/telemetry', { ...payload, value: 22 })).toMatchObject({ status: 200 });
      const list = await visitor.get('/api/devices');
      expect(list.body).toMatchObject({ items: [{ id: expect.any(String), kind: 'gateway' }], nextCursor: null });
      const id = /"id":"([^"]+)"/.exec(list.text)?.[1] ?? '';
      expect(await settledLedger(visitor, id)).toMatchObject({ received: 2, stored: 2 });
      const stored = await storedReadings(visitor, id);
      expect(stored).toMatchObject(
        [
          { sensor: 'temperature', value: 21.5, location: 'kitchen' },
          { sensor: 'temperature', value: 22, location: 'kitchen' },
        ].map(({ location: _, ...rest }) => rest),
      );
      expect((await visitor.get(`/api/devices/${id}/latest`)).body).toMatchObject({
        temperature: { value: 22, location: 'kitchen' },
      });
    });

    test('debug provisioning, written as the documents write it, gives the same device for the same MAC', async () => {
      const mac = newMac();
      const url = `${house().url}/debug/provisioning`;
      const first = await getWithBody(url, { 'mac-address': mac });
      if (!house().own && first.code === 'DEBUG_PROVISIONING_OFF') return;
      expect(first).toMatchObject({ status: 200, body: { 'access-token': expect.any(String) } });
      const token = /"access-token":"([^"]+)"/.exec(first.text)?.[1] ?? '';
      const again = await fetch(`${url}?mac-address=${mac.toLowerCase().replaceAll(':', '-')}`);
      expect(await again.json()).toEqual({ 'access-token': token });
      const sender = new Visitor(house(), token);
      expect(await sender.post('/telemetry', { sensorType: 'temperature', value: 1 })).toMatchObject({ status: 200 });
      const admin = await administrator(house());
      const found = await admin.get(`/api/devices?macAddress=${encodeURIComponent(mac)}`);
      expect(found.body).toMatchObject({ items: [{ macAddress: mac }], nextCursor: null });
      const id = /"id":"([^"]+)"/.exec(found.text)?.[1] ?? '';
      expect(await settledLedger(admin, id)).toMatchObject({ received: 1, stored: 1 });
    });

    test('the short address of the documents is enough for debug provisioning', async () => {
      const answer = await getWithBody(`${house().url}/debug/provisioning`, { 'mac-address': 'CE:13:14:15' });
      if (!house().own && answer.code === 'DEBUG_PROVISIONING_OFF') return;
      expect(answer).toMatchObject({ status: 200, body: { 'access-token': expect.any(String) } });
    });

    test('a gateway sends for the devices behind it, by id and by name, and for no others', async () => {
      const { visitor } = await newUser(house());
      const gateway = await newDevice(visitor, { kind: 'gateway' });
      const child = await newDevice(visitor, { master: gateway.id });
      const stranger = await newDevice(visitor);
      const socket = await connect(house(), '/telemetry', gateway.token);
      const batch = [child.id, child.name, stranger.id].map((device, index) => ({
        device,
        sensor: 's',
        ts: Date.now() - index,
        value: 1,
      }));
      expect(await ask(socket, 'readings', batch)).toMatchObject({
        ok: true,
        accepted: 2,
        rejected: [{ index: 2, code: 'DEVICE_NOT_ALLOWED' }],
      });
      expect(await settledLedger(visitor, child.id)).toMatchObject({ received: 2, stored: 2 });
      expect(await settledLedger(visitor, stranger.id)).toMatchObject({ received: 0 });
    });
  });
}

async function nextEventOf(socket: Parameters<typeof nextEvent>[0], isThere: () => boolean): Promise<void> {
  while (!isThere()) await nextEvent(socket, 'readings');
}
