import { createHash, randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { endAllMqtt, inboxOf, mqttTo, nextMessage, publish, webSocketOf } from '../../mqtt-clients.ts';
import { administrator, newDevice, newName, newUser, type Device } from '../../people.ts';
import { connect, disconnectAll, nextEvent } from '../../sockets.ts';
import { read } from '../../visitor.ts';

const WithId = z.object({ id: z.string() });
const Firmware = z.array(z.object({ title: z.string(), state: z.string(), error: z.string().nullable() }));
const Rollout = z.object({
  id: z.string(),
  state: z.string(),
  assigned: z.number(),
  updated: z.number(),
  failed: z.number(),
});
const FILE_BYTES = 3 * 1_048_576 + 17;
const CHUNK_BYTES = 65_536;

/** Packages for devices: kept, told of, loaded, reported. */
export function firmware(house: () => House): void {
  describe('firmware', () => {
    afterAll(() => {
      endAllMqtt();
      disconnectAll();
    });

    const newPackage = async (file = randomBytes(FILE_BYTES)) => {
      const title = newName('fw').replace(' ', '-');
      const sha256 = createHash('sha256').update(file).digest('hex');
      const upload = (raw: Buffer, query = `&sha256=${sha256}`) =>
        administrator(house()).then((admin) =>
          admin.post(`/api/firmware?kind=firmware&title=${title}&version=1.0.1${query}`, undefined, {
            raw: new Uint8Array(raw),
            headers: { 'content-type': 'application/octet-stream' },
          }),
        );
      const made = await upload(file);
      return { id: read(made, WithId).id, title, sha256, file, upload };
    };
    const report = (client: Awaited<ReturnType<typeof mqttTo>>, values: object) =>
      publish(client, 'v1/devices/me/telemetry', values);
    const linked = (device: Device, replica = house().replicas[0] ?? '') =>
      mqttTo(webSocketOf(replica), { username: device.token });
    const stateOf = async (deviceId: string) => {
      const admin = await administrator(house());
      return read(await admin.get(`/api/devices/${deviceId}/firmware`), Firmware)[0];
    };

    test('is uploaded once, whole and checked', async () => {
      const { id, sha256, file, upload } = await newPackage();
      const admin = await administrator(house());
      expect((await admin.get(`/api/firmware/${id}`)).body).toMatchObject({ size: file.length, checksum: sha256 });
      expect(read(await upload(file), WithId).id).toBe(id);
      expect(await upload(randomBytes(1_000), '')).toMatchObject({ status: 409, code: 'FIRMWARE_EXISTS' });
      const wrong = await admin.post(
        `/api/firmware?title=${newName('x').replace(' ', '')}&version=1&sha256=${sha256}`,
        undefined,
        {
          raw: new Uint8Array(1_000),
          headers: { 'content-type': 'application/octet-stream' },
        },
      );
      expect(wrong).toMatchObject({ status: 422, code: 'CHECKSUM_MISMATCH' });
      const { visitor: user } = await newUser(house());
      expect((await user.get(`/api/firmware/${id}`)).status).toBe(403);
    });

    test('reaches its device over MQTT in chunks, and over HTTP from where it left off', async () => {
      const { id, title, sha256, file } = await newPackage();
      const admin = await administrator(house());
      const device = await newDevice(admin);
      const client = await linked(device, house().replicas.at(-1));
      await client.subscribeAsync('v1/devices/me/attributes', { qos: 1 });
      const told = nextMessage(client);
      expect((await admin.call('PUT', `/api/devices/${device.id}/firmware`, { package: id })).status).toBeLessThan(300);
      expect(JSON.parse((await told).text)).toMatchObject({
        fw_title: title,
        fw_version: '1.0.1',
        fw_size: file.length,
        fw_checksum: sha256,
        fw_checksum_algorithm: 'SHA256',
      });
      await report(client, { fw_state: 'DOWNLOADING' });

      const parts: Buffer[] = [];
      client.on('message', (topic, payload) => {
        if (topic.startsWith('v2/fw/response/1/chunk/')) parts.push(payload);
      });
      const count = Math.ceil(file.length / CHUNK_BYTES);
      for (let n = 0; n < count; n += 1) {
        await publish(client, `v2/fw/request/1/chunk/${String(n)}`, String(CHUNK_BYTES));
        await waitUntil(() => parts.length > n, { what: `chunk ${String(n)} is there` });
      }
      expect(createHash('sha256').update(Buffer.concat(parts)).digest('hex')).toBe(sha256);

      const half = FILE_BYTES >> 1;
      const headers = { authorization: `Bearer ${device.token}`, range: `bytes=${String(half)}-` };
      const rest = await fetch(`${house().url}/firmware?kind=firmware`, { headers });
      expect(rest.status).toBe(206);
      expect(Buffer.from(await rest.arrayBuffer()).equals(file.subarray(half))).toBe(true);

      await report(client, { fw_state: 'VERIFIED' });
      await report(client, { fw_state: 'UPDATED', current_fw_title: title, current_fw_version: '1.0.1' });
      await waitUntil(async () => (await stateOf(device.id))?.state === 'updated', {
        what: 'it is known to be updated',
      });
      expect(await admin.delete(`/api/firmware/${id}`)).toMatchObject({ status: 409, code: 'FIRMWARE_IN_USE' });
    });

    test('is rolled out to a share of a profile, more devices with a greater share', async () => {
      const { id } = await newPackage(randomBytes(1_000));
      const admin = await administrator(house());
      const profile = read(await admin.post('/api/device-profiles', { name: newName('profile') }), WithId).id;
      for (let n = 0; n < 40; n += 1) await newDevice(admin, { profile });
      const made = await admin.post('/api/firmware/rollouts', { package: id, profile, percent: 25 });
      const rollout = read(made, WithId).id;
      const now = async () => read(await admin.get(`/api/firmware/rollouts/${rollout}`), Rollout);
      const some = await waitUntil(async () => ((await now()).assigned > 0 ? now() : false), {
        what: 'the first are assigned',
      });
      expect(some.assigned).toBeLessThan(30);
      const viewer = await connect(house(), '/live', admin.token ?? '');
      await viewer.timeout(10_000).emitWithAck('subscribe', { rollouts: [rollout] });
      const progress = nextEvent(viewer, 'rollout');
      expect(await admin.patch(`/api/firmware/rollouts/${rollout}`, { percent: 100 })).toMatchObject({ status: 200 });
      await waitUntil(async () => (await now()).assigned === 40, { what: 'all are assigned' });
      expect(await progress).toMatchObject({ id: rollout });
    });

    test('stops being rolled out when too many fail', async () => {
      const { id, title } = await newPackage(randomBytes(1_000));
      const admin = await administrator(house());
      const profile = read(await admin.post('/api/device-profiles', { name: newName('profile') }), WithId).id;
      const devices: Device[] = [];
      for (let n = 0; n < 6; n += 1) devices.push(await newDevice(admin, { profile }));
      const rule = { percent: 100, stopPercent: 50, stopAfter: 2 };
      const made = await admin.post('/api/firmware/rollouts', { package: id, profile, ...rule });
      const path = `/api/firmware/rollouts/${read(made, WithId).id}`;
      const now = async () => read(await admin.get(path), Rollout);
      await waitUntil(async () => (await now()).assigned === 6, { what: 'all are assigned' });
      const [first, second, third] = devices;
      if (!first || !second || !third) throw new Error('there are six devices');
      const untouched = await linked(third);
      const inbox = inboxOf(untouched);
      await untouched.subscribeAsync('v1/devices/me/attributes', { qos: 1 });
      for (const device of [first, second]) {
        const client = await linked(device);
        await report(client, { fw_state: 'FAILED', fw_error: 'flash is worn out' });
      }
      await waitUntil(async () => (await now()).state === 'stopped', { what: 'the rollout has stopped' });
      expect(await now()).toMatchObject({ failed: 2, updated: 0 });
      expect(await stateOf(first.id)).toMatchObject({ title, state: 'failed', error: 'flash is worn out' });
      await waitUntil(() => inbox.some(({ text }) => text.includes('deleted')), {
        what: 'a device that had not begun is told to forget it',
      });
    });
  });
}
