import { afterAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '#testing';
import type { House } from '../house.ts';
import { administrator, logIn, newCredential, newDevice, newUser } from '../people.ts';
import { ask, connect, connectTo, disconnectAll, nextEvent, refusalOf } from '../sockets.ts';
import { Visitor, type Answer } from '../visitor.ts';

/** Tokens live for 15 minutes and verified credentials for one: what ends sooner was told. */
const AT_ONCE_MS = 5_000;

/** What ended is felt everywhere, at once. */
export function revocation(house: () => House): void {
  describe('what ended', () => {
    afterAll(disconnectAll);

    /** One route of every service that knows people, and of every replica. */
    function doorsOf(deviceId: string): string[] {
      const replicas = house().replicas.map((replica) => `${replica}/api/devices/${deviceId}/latest`);
      return ['/user/me', '/api/devices', `/api/devices/${deviceId}/ledger`, ...replicas];
    }

    const refusedEverywhere = async (visitor: Visitor, deviceId: string): Promise<void> => {
      for (const door of doorsOf(deviceId)) {
        await becomes(() => visitor.get(door), 401, `${door} refuses the token`);
      }
    };

    const becomes = (send: () => Promise<Answer>, status: number, what: string) =>
      waitUntil(async () => (await send()).status === status, { what, timeoutMs: AT_ONCE_MS });

    test('a login that was logged out is refused by every service, and its living sockets end with the reason', async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      for (const door of doorsOf(device.id)) expect(await person.visitor.get(door)).toMatchObject({ status: 200 });
      const sockets = await Promise.all(
        house().replicas.flatMap((replica) => [
          connectTo(replica, '/live', person.token),
          connectTo(replica, '/telemetry', person.token),
        ]),
      );
      const ended = sockets.map((socket) => nextEvent(socket, 'auth:ended'));
      expect(await person.visitor.post('/user/logout')).toMatchObject({ status: 204, text: '' });
      for (const reason of await Promise.all(ended)) expect(reason).toMatchObject({ code: 'TOKEN_REVOKED' });
      await waitUntil(() => sockets.every(({ connected }) => !connected), { what: 'the sockets are closed' });
      await refusedEverywhere(person.visitor, device.id);
      expect(await person.visitor.get('/user/me')).toMatchObject({ code: 'TOKEN_REVOKED' });
      expect(await refusalOf(house(), '/live', person.token)).toMatchObject({ code: 'TOKEN_REVOKED' });
      const refresh = await new Visitor(house()).post('/user/token', { refreshToken: person.refreshToken });
      expect(refresh.status).toBe(401);
    });

    test('a second login of the same person goes on', async () => {
      const person = await newUser(house());
      const second = await logIn(house(), person.email, person.password);
      await person.visitor.post('/user/logout');
      await becomes(() => person.visitor.get('/user/me'), 401, 'the first login has ended');
      expect(await second.visitor.get('/user/me')).toMatchObject({ status: 200 });
      expect(await second.visitor.get('/api/devices')).toMatchObject({ status: 200 });
    });

    test('a changed password ends the other logins and keeps the one that changed it', async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const other = await logIn(house(), person.email, person.password);
      const newPassword = `${person.password}-2`;
      house().secrets.add(newPassword);
      const change = { currentPassword: person.password, newPassword };
      expect(await person.visitor.post('/user/password', { ...change, currentPassword: 'wrong one' })).toMatchObject({
        status: 401,
        code: 'BAD_CREDENTIALS',
      });
      expect(await person.visitor.post('/user/password', change)).toMatchObject({ status: 204 });
      await refusedEverywhere(other.visitor, device.id);
      expect(await person.visitor.get('/user/me')).toMatchObject({ status: 200 });
      const { email } = person;
      expect(await new Visitor(house()).post('/user/login', { email, password: person.password })).toMatchObject({
        status: 401,
      });
      expect((await logIn(house(), email, newPassword)).token).toEqual(expect.any(String));
    });

    test('a refresh token that is used again ends its login everywhere', async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const anybody = new Visitor(house());
      const { refreshToken } = person;
      expect(await anybody.post('/user/token', { refreshToken })).toMatchObject({ status: 200 });
      expect(await anybody.post('/user/token', { refreshToken })).toMatchObject({
        status: 401,
        code: 'REFRESH_REUSED',
      });
      await refusedEverywhere(person.visitor, device.id);
    });

    test('somebody who was disabled is out at once, and comes back when they are enabled', async () => {
      const person = await newUser(house());
      const device = await newDevice(person.visitor);
      const viewer = await connect(house(), '/live', person.token);
      const ended = nextEvent(viewer, 'auth:ended');
      const admin = await administrator(house());
      expect(await admin.patch(`/api/users/${person.id}`, { disabled: true })).toMatchObject({ status: 200 });
      expect(await ended).toMatchObject({ code: 'TOKEN_REVOKED' });
      await refusedEverywhere(person.visitor, device.id);
      const login = { email: person.email, password: person.password };
      expect(await new Visitor(house()).post('/user/login', login)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
      await admin.patch(`/api/users/${person.id}`, { disabled: false });
      expect(await new Visitor(house()).post('/user/login', login)).toMatchObject({ status: 200 });
    });

    test('a revoked credential ends its connections on every replica; the device’s other one goes on', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const other = await newCredential(visitor, device.id);
      const sockets = await Promise.all(
        house().replicas.map((replica) => connectTo(replica, '/telemetry', device.token)),
      );
      const survivor = await connect(house(), '/telemetry', other.token);
      const ended = sockets.map((socket) => nextEvent(socket, 'auth:ended'));
      const revoked = await visitor.delete(`/api/devices/${device.id}/credentials/${device.credentialId}`);
      expect(revoked.status).toBe(204);
      for (const reason of await Promise.all(ended)) expect(reason).toMatchObject({ code: 'TOKEN_REVOKED' });
      await waitUntil(() => sockets.every(({ connected }) => !connected), { what: 'the sockets are closed' });
      const reading = { sensor: 's', value: 1 };
      for (const replica of house().replicas) {
        const sender = new Visitor(house(), device.token);
        await becomes(() => sender.post(`${replica}/telemetry`, reading), 401, 'the credential is refused');
      }
      expect(await refusalOf(house(), '/telemetry', device.token)).toMatchObject({ code: 'BAD_CREDENTIALS' });
      expect(await ask(survivor, 'readings', reading)).toMatchObject({ ok: true, accepted: 1 });
    });

    test('a rotated credential goes on for the overlap only', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const rotate = `/api/devices/${device.id}/credentials/${device.credentialId}/rotate`;
      const rotated = await visitor.post(rotate, {});
      expect(rotated).toMatchObject({ status: 201, body: { accessToken: expect.any(String) } });
      const reading = { sensor: 's', value: 1 };
      const old = new Visitor(house(), device.token);
      await becomes(() => old.post('/telemetry', reading), 401, 'the old credential is refused');
      const token = /"accessToken":"([^"]+)"/.exec(rotated.text)?.[1] ?? '';
      expect(await new Visitor(house(), token).post('/telemetry', reading)).toMatchObject({ status: 200 });
    });

    test('a deleted device is gone for itself and for everybody', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const socket = await connect(house(), '/telemetry', device.token);
      const ended = nextEvent(socket, 'auth:ended');
      expect(await visitor.delete(`/api/devices/${device.id}`)).toMatchObject({ status: 204 });
      expect(await ended).toMatchObject({ code: 'TOKEN_REVOKED' });
      await becomes(() => visitor.get(`/api/devices/${device.id}/latest`), 404, 'its readings are nobody’s');
      const sender = new Visitor(house(), device.token);
      await becomes(() => sender.post('/telemetry', { sensor: 's', value: 1 }), 401, 'its credential is refused');
    });
  });
}
