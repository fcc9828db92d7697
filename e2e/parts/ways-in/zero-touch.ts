import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { administrator, newCustomer, newName, newPerson, newUser } from '../../people.ts';
import { read, Visitor } from '../../visitor.ts';

const WithId = z.object({ id: z.string() });
const Key = z.object({ id: z.string(), key: z.string().startsWith('fpk_') });
const Provisioned = z.object({
  device: z.object({ id: z.string(), name: z.string(), state: z.string() }),
  assets: z.array(z.object({ id: z.string(), name: z.string() })),
  accessToken: z.string(),
  location: z
    .object({
      country: z.string(),
      state: z.string(),
      latitude: z.number().nullable(),
      longitude: z.number().nullable(),
      source: z.enum(['request', 'ip', 'config']),
    })
    .nullable(),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
});
const Items = z.object({ items: z.array(z.object({ id: z.string(), name: z.string() })) });

/** Document 003: one call places a device in its country and state. */
export function zeroTouch(house: () => House): void {
  describe('zero touch', () => {
    const profiles = async () => {
      const admin = await administrator(house());
      const [deviceProfile, countryProfile, stateProfile] = [newName('gateway'), newName('country'), newName('state')];
      read(await admin.post('/api/device-profiles', { name: deviceProfile }), WithId);
      for (const name of [countryProfile, stateProfile])
        read(await admin.post('/api/asset-profiles', { name }), WithId);
      return { deviceProfile, countryProfile, stateProfile };
    };
    const keyOf = async (visitor: Visitor, fields: object): Promise<Visitor> =>
      new Visitor(house(), read(await visitor.post('/api/provisioning/keys', { name: 'fleet', ...fields }), Key).key);
    const location = { country: 'Iceland', state: 'Vesturland', latitude: 64.54, longitude: -21.92 };

    test('makes country, state and device once, whoever many ask at once, and gives each device one token', async () => {
      const customer = await newCustomer(house());
      const operator = await newPerson(house(), 'operator', customer);
      const names = await profiles();
      const key = await keyOf(operator.visitor, {});
      const ask = async (number: number) =>
        read(
          await key.post('/api/provision', { name: `meter ${number}`, serial: `PM-${number}`, location, ...names }),
          Provisioned,
        );
      const replies = await Promise.all(Array.from({ length: 50 }, (_, index) => ask(index % 10)));
      expect(new Set(replies.map(({ device }) => device.id)).size).toBe(10);
      expect(new Set(replies.map(({ accessToken }) => accessToken)).size).toBe(10);
      expect(new Set(replies.map(({ assets }) => assets.map(({ id }) => id).join())).size).toBe(1);
      for (const { accessToken } of replies) house().secrets.add(accessToken);
      const { items } = read(await operator.visitor.get('/api/assets'), Items);
      expect(items.map(({ name }) => name).toSorted()).toEqual(['Iceland', 'Vesturland']);
      const tree = await operator.visitor.get('/api/assets/tree?devices=true');
      expect(tree.text).toContain('meter 7');
      expect(replies[0]).toMatchObject({ location: { ...location, source: 'request' }, warnings: [] });
    });

    test('shows a device as provisioned until its first readings, and as active from then on', async () => {
      const admin = await administrator(house());
      const names = await profiles();
      const request = { name: newName('meter'), serial: newName('PM'), location, ...names };
      const { device, accessToken } = read(await admin.post('/api/provision', request), Provisioned);
      expect(device.state).toBe('provisioned');
      const handshake = [
        { sensor: 'serial', value: request.serial },
        { sensor: 'latitude', value: 64.54 },
        { sensor: 'longitude', value: -21.92 },
        { sensor: 'system', value: { platform: 'linux' } },
      ];
      const sent = await new Visitor(house(), accessToken).post('/telemetry', handshake);
      expect(sent).toMatchObject({ status: 200, body: { accepted: 4 } });
      await waitUntil(async () => /"state":"active"/.test((await admin.get(`/api/devices/${device.id}`)).text), {
        what: 'the device is active',
      });
    });

    test('falls back to the configured location with a warning', async () => {
      const admin = await administrator(house());
      const request = { name: newName('meter'), serial: newName('PM'), ...(await profiles()) };
      const reply = read(await admin.post('/api/provision', request), Provisioned);
      house().secrets.add(reply.accessToken);
      expect(reply.warnings).toEqual([{ code: expect.stringMatching(/^LOCATION_/), message: expect.any(String) }]);
    });

    test('refuses people who may not, names the profile that is not there, and ends with its key', async () => {
      const customer = await newCustomer(house());
      const operator = await newPerson(house(), 'operator', customer);
      const names = await profiles();
      const request = { name: newName('meter'), serial: newName('PM'), location, ...names };
      expect(await new Visitor(house()).post('/api/provision', request)).toMatchObject({ status: 401 });
      const stranger = await newUser(house());
      expect(await stranger.visitor.post('/api/provision', request)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
      const unknown = await operator.visitor.post('/api/provision', { ...request, deviceProfile: 'No such profile' });
      expect(unknown).toMatchObject({ status: 404, code: 'PROFILE_NOT_FOUND' });
      expect(unknown.text).toContain('No such profile');

      const key = await keyOf(operator.visitor, { maxUses: 1 });
      const first = read(await key.post('/api/provision', request), Provisioned);
      expect(read(await key.post('/api/provision', request), Provisioned).accessToken).toBe(first.accessToken);
      const second = { ...request, name: newName('meter'), serial: newName('PM') };
      expect(await key.post('/api/provision', second)).toMatchObject({ status: 403, code: 'PROVISIONING_KEY_USED_UP' });
      const [{ id } = { id: '' }] = read(await operator.visitor.get('/api/provisioning/keys'), Items).items;
      expect(await operator.visitor.delete(`/api/provisioning/keys/${id}`)).toMatchObject({ status: 204 });
      expect(await key.post('/api/provision', request)).toMatchObject({ status: 401 });
    });

    test('never hands out the token of another device of that name', async () => {
      const admin = await administrator(house());
      const request = { name: newName('meter'), serial: newName('PM'), location, ...(await profiles()) };
      house().secrets.add(read(await admin.post('/api/provision', request), Provisioned).accessToken);
      expect(await admin.post('/api/provision', { ...request, serial: newName('PM') })).toMatchObject({
        status: 409,
        code: 'DEVICE_MISMATCH',
      });
    });
  });
}
