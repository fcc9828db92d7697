import { z } from 'zod';
import type { House } from '../../e2e/house.ts';
import { Administrator } from './administrator.ts';
import { concurrently } from './concurrently.ts';

const AT_ONCE = 16;
const NUMBER = 'two-steps';
const Registered = z.object({ password: z.string() });

/** Devices a second that register and activate, all of one customer. */
export async function twoStepRate(house: House, seconds: number): Promise<number> {
  const admin = await Administrator.of(house);
  await admin.post('/api/customers', z.object({}), JSON.stringify({ number: NUMBER, name: NUMBER }));
  const { rate } = await concurrently(AT_ONCE, seconds, async (index) => {
    const device = {
      customer_id: NUMBER,
      mac_address: `02-50-${index
        .toString(16)
        .padStart(8, '0')
        .replace(/..(?=.)/g, '$&-')}`,
    };
    const { password } = Registered.parse(await (await post(house, 'register', device)).json());
    await post(house, 'activate', { ...device, password });
  });
  return rate;
}

async function post(house: House, step: 'register' | 'activate', body: object): Promise<Response> {
  const response = await fetch(`${house.url}/provisioning/${step}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${step} answered ${String(response.status)}: ${await response.text()}`);
  return response;
}
