import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { FieldlineDevice } from '#device-sdk';
import { tempDir, waitUntil } from '#testing';
import type { House } from '../../house.ts';
import { administrator, newDevice, newName } from '../../people.ts';
import { readings, settledLedger } from '../../readings.ts';
import { read } from '../../visitor.ts';

/** The SDK as it is, against the platform as it is: the same calls over each transport. */
export function sdk(house: () => House): void {
  describe.each(['socket', 'mqtt'] as const)('by the SDK over %s', (transport) => {
    const open: FieldlineDevice[] = [];
    afterAll(async () => {
      for (const device of open) await device.close();
    });

    const newSdkDevice = async () => {
      const admin = await administrator(house());
      const { id, token } = await newDevice(admin);
      const { url, mqttUrl } = house();
      const device = new FieldlineDevice({ url, token, transport, mqttUrl });
      open.push(device);
      return { admin, id, device, path: `/api/devices/${id}` };
    };

    test('and sends readings until each has its receipt', async () => {
      const { admin, id, device } = await newSdkDevice();
      const rejected: string[] = [];
      device.on('rejected', ({ code }) => rejected.push(code));
      await device.connect();
      await device.send(readings(1_000).map(({ sensor, ts, value }) => ({ sensor, ts, value: Number(value) })));
      await device.send({ sensor: 'not a sensor', value: 1 });
      expect(await device.flush({ timeoutMs: 20_000 })).toBe(true);
      expect(rejected).toEqual(['BAD_SENSOR']);
      expect(device.stats).toMatchObject({ acknowledged: 1_000, rejected: 1, queued: 0 });
      expect(await settledLedger(admin, id)).toMatchObject({ stored: 1_000, duplicate: 0, rejected: 1 });
    });

    test('and answers commands, also those that waited for it', async () => {
      const { admin, device, path } = await newSdkDevice();
      const waited = await admin.post(`${path}/commands`, { method: 'start', params: { litres: 1 }, persist: true });
      const { id } = read(waited, z.object({ id: z.string() }));
      device.onCommand('start', ({ params }) => ({ started: params }));
      device.onCommand('stop', () => {
        throw new Error('the valve is stuck');
      });
      await device.connect();
      await waitUntil(async () => (await admin.get(`${path}/commands/${id}`)).text.includes('"succeeded"'), {
        what: 'it answers what has waited for it',
      });
      expect((await admin.post(`${path}/commands`, { method: 'start', params: 2 })).body).toMatchObject({
        status: 'succeeded',
        result: { started: 2 },
      });
      expect((await admin.post(`${path}/commands`, { method: 'stop' })).body).toMatchObject({
        status: 'failed',
        error: 'the valve is stuck',
      });
    });

    test('and tells attributes, and is told of those that people share', async () => {
      const { admin, device, path } = await newSdkDevice();
      await admin.patch(`${path}/attributes`, { shared: { interval: 30 } });
      const told: object[] = [];
      device.onAttributes(({ changed, deleted }) => told.push({ changed, deleted }));
      await device.connect();
      await device.reportAttributes({ model: 'P-20' });
      expect((await admin.get(`${path}/attributes`)).body).toMatchObject({ client: { model: 'P-20' } });
      expect(await device.getAttributes({ client: ['model'], shared: true })).toMatchObject({
        client: { model: 'P-20' },
        shared: { interval: 30 },
      });
      await admin.patch(`${path}/attributes`, { shared: { interval: null, mode: 'eco' } });
      await waitUntil(() => device.sharedAttributes['mode'] === 'eco', { what: 'it is told of the change' });
      expect(device.sharedAttributes).toEqual({ mode: 'eco' });
      expect(told.length).toBeGreaterThan(0);
    });

    test('and installs the firmware that it is given', async () => {
      const { admin, device, path } = await newSdkDevice();
      const { path: folder } = await tempDir();
      const file = randomBytes(700_001);
      let installed: Buffer | undefined;
      device.onFirmware({
        kind: 'firmware',
        current: { title: 'none', version: '0' },
        folder: join(folder, 'firmware'),
        install: async ({ file: where }) => {
          installed = await readFile(where);
        },
      });
      await device.connect();
      const query = `title=${newName('fw').replace(' ', '-')}&version=2`;
      const upload = await admin.post(`/api/firmware?${query}`, undefined, {
        raw: new Uint8Array(file),
        headers: { 'content-type': 'application/octet-stream' },
      });
      const { id } = read(upload, z.object({ id: z.string() }));
      await admin.call('PUT', `${path}/firmware`, { package: id });
      await waitUntil(async () => (await admin.get(`${path}/firmware`)).text.includes('"updated"'), {
        what: 'the platform knows that it is updated',
        timeoutMs: 30_000,
      });
      expect(installed?.equals(file)).toBe(true);
    });
  });
}
