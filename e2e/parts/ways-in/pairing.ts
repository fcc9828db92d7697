import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { House } from '../../house.ts';
import { administrator, newDevice, newUser, type Device } from '../../people.ts';
import { readings } from '../../readings.ts';
import { ask, connect, disconnectAll, nextEvent } from '../../sockets.ts';
import { Visitor } from '../../visitor.ts';

/** Document 000: a device announces a key, and whoever claims it by that key is its owner. */
export function pairing(house: () => House): void {
  describe('pairing', () => {
    afterAll(disconnectAll);

    const announced = async (device: Device): Promise<string> => {
      const pairKey = `K-${randomUUID()}`;
      const answer = await new Visitor(house(), device.token).post('/provisioning/pair', {
        pairKey,
        ownerKey: randomUUID(),
      });
      expect(answer).toMatchObject({ status: 200, body: { expiresAt: expect.any(Number) } });
      return pairKey;
    };

    test('gives a device to one of fifty who claim it at once, who shares it and gives it up', async () => {
      const device = await newDevice(await administrator(house()));
      const pairKey = await announced(device);
      const people = await Promise.all(Array.from({ length: 5 }, () => newUser(house())));
      const claims = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const person = people[index % people.length]!;
          return { person, answer: await person.visitor.post('/api/claims', { pairKey }) };
        }),
      );
      const won = claims.filter(({ answer }) => answer.status === 200);
      expect(won).toHaveLength(1);
      const owner = won[0]!.person;
      const other = people.find((person) => person !== owner)!;
      await new Visitor(house(), device.token).post('/telemetry', readings(3));
      expect(await owner.visitor.get(`/api/devices/${device.id}/latest`)).toMatchObject({ status: 200 });
      expect(await other.visitor.get(`/api/devices/${device.id}/latest`)).toMatchObject({ status: 404 });

      const shares = `/api/devices/${device.id}/shares`;
      expect(await owner.visitor.call('PUT', shares, { email: other.email, access: 'read' })).toMatchObject({
        status: 200,
      });
      expect(await other.visitor.get(`/api/devices/${device.id}/latest`)).toMatchObject({ status: 200 });
      expect((await other.visitor.get('/api/devices')).text).toContain(device.id);
      const viewer = await connect(house(), '/live', other.token);
      expect(await ask(viewer, 'subscribe', { devices: [device.id] })).toMatchObject({
        ok: true,
        devices: [{ device: device.id, latest: expect.any(Object) }],
      });
      const ended = nextEvent(viewer, 'ended');
      const reading = { device: device.id, sensor: 's', value: 1 };
      expect((await other.visitor.post('/telemetry', reading)).body).toMatchObject({ accepted: 0 });
      expect(await other.visitor.patch(`/api/devices/${device.id}`, { name: 'mine' })).toMatchObject({ status: 403 });
      expect(await other.visitor.delete(`/api/devices/${device.id}`)).toMatchObject({ status: 403 });
      expect(await owner.visitor.delete(`${shares}/${other.id}`)).toMatchObject({ status: 204 });
      expect(await other.visitor.get(`/api/devices/${device.id}/latest`)).toMatchObject({ status: 404 });
      expect(await ended).toMatchObject({ device: device.id, code: 'DEVICE_NOT_ALLOWED' });

      const second = await announced(device);
      expect(await other.visitor.post('/api/claims', { pairKey: second })).toMatchObject({ code: 'ALREADY_CLAIMED' });
      expect(await owner.visitor.post('/api/claims', { pairKey: second })).toMatchObject({ code: 'OWN_DEVICE' });
      expect(await owner.visitor.post(`/api/devices/${device.id}/release`)).toMatchObject({ status: 204 });
      expect(await owner.visitor.get(`/api/devices/${device.id}`)).toMatchObject({ status: 404 });
      const third = await announced(device);
      expect(await other.visitor.post('/api/claims', { pairKey: third })).toMatchObject({ status: 200 });
    });

    test('refuses a key that nobody announced, one of another device, and whoever is no device', async () => {
      const admin = await administrator(house());
      const [one, two] = [await newDevice(admin), await newDevice(admin)];
      const pairKey = await announced(one);
      const taken = await new Visitor(house(), two.token).post('/provisioning/pair', {
        pairKey,
        ownerKey: randomUUID(),
      });
      expect(taken).toMatchObject({ status: 409, code: 'PAIR_KEY_TAKEN' });
      const person = await newUser(house());
      const unknown = await person.visitor.post('/api/claims', { pairKey: `K-${randomUUID()}` });
      expect(unknown).toMatchObject({ status: 404, code: 'PAIR_KEY_UNKNOWN' });
      const nobody = await new Visitor(house()).post('/provisioning/pair', { pairKey, ownerKey: randomUUID() });
      expect(nobody).toMatchObject({ status: 401 });
    });
  });
}
