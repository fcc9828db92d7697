import { expect, test } from '@jest/globals';
import { person, SECRET_KEY, startRegistry, type StartedRegistry } from './started-registry.ts';

/** What the registry keeps over a restart. */
export function restartsSuite(database: () => Promise<string>): void {
  const admin = person('admin');

  async function during<T>(url: string, secretKey: string, use: (registry: StartedRegistry) => Promise<T>): Promise<T> {
    const registry = await startRegistry(url, secretKey);
    try {
      return await use(registry);
    } finally {
      await registry.stop();
    }
  }
  const provision = ({ rpc }: StartedRegistry) =>
    rpc.call('registry.devices.provisionByMac', { macAddress: 'CE:13:14:15' });
  const isValid = ({ rpc }: StartedRegistry, token: string) =>
    rpc.call('registry.credentials.verify', { kind: 'token', token }).then(
      () => true,
      () => false,
    );

  test('keeps devices and tokens, and gives a MAC address the same token again', async () => {
    const url = await database();
    const first = await during(url, SECRET_KEY, provision);
    const again = await during(url, SECRET_KEY, provision);
    expect(again).toEqual({ ...first, created: false });
  });

  test('with another secret key, tokens that were given go on and a MAC address gets one more that works', async () => {
    const url = await database();
    const first = await during(url, SECRET_KEY, provision);
    await during(url, 'another secret key, long enough too', async (registry) => {
      const second = await provision(registry);
      expect(second.device.id).toBe(first.device.id);
      expect(second.accessToken).not.toBe(first.accessToken);
      expect(await provision(registry)).toEqual(second);
      expect(await isValid(registry, first.accessToken)).toBe(true);
      expect(await isValid(registry, second.accessToken)).toBe(true);
      const { body } = await registry.call(admin, `GET /api/devices/${first.device.id}/credentials`);
      expect(body.items).toHaveLength(2);
    });
  });
}
