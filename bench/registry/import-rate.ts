import { z } from 'zod';
import { JobView } from '#contracts';
import { waitUntil } from '#testing';
import { Administrator } from './administrator.ts';
import { macOf, ROWS } from './database.ts';
import type { House } from '../../e2e/house.ts';

const Accepted = z.object({ id: z.uuid() });
const Customer = z.object({ id: z.uuid(), deviceCount: z.number() });

const CUSTOMER = 'bench';

/** Devices a second from the first byte of an upload of so many until all of them are there; fails if one is not. */
export async function importRate(house: House, devices: number): Promise<number> {
  const admin = await Administrator.of(house);
  const { id } = await admin.post('/api/customers', Customer, JSON.stringify({ number: CUSTOMER, name: CUSTOMER }));
  const file = csvOf(devices);
  const start = performance.now();
  const { id: job } = await admin.post('/api/provisioning/jobs', Accepted, file, 'text/csv');
  const done = async () => (await admin.get(`/api/provisioning/jobs/${job}`, JobView)).state !== 'running';
  await waitUntil(done, { what: 'the import is done', timeoutMs: 600_000, everyMs: 100 });
  const seconds = (performance.now() - start) / 1_000;
  const { created, failed, message } = await admin.get(`/api/provisioning/jobs/${job}`, JobView);
  const { deviceCount } = await admin.get(`/api/customers/${id}`, Customer);
  if (created !== devices || deviceCount !== devices) {
    throw new Error(`of ${String(devices)} devices ${String(created)} were made, ${String(failed)} failed: ${message}`);
  }
  return devices / seconds;
}

function csvOf(devices: number): string {
  const lines = Array.from(
    { length: devices },
    (_, number) =>
      `Sensor ${String(number)},${macOf(number)},SN-${String(number)},${CUSTOMER},row-${String(number % ROWS)}`,
  );
  return ['name,macAddress,serial,customer,labels', ...lines, ''].join('\n');
}
