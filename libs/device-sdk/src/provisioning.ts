import { z } from 'zod';
import { ask } from './http.ts';

const Provisioned = z.object({ 'access-token': z.string() });

/**
 * Asks `GET /debug/provisioning` for the access token of the device with this MAC address (hex pairs), which is made if there is
 * none yet. The same address gets the same device back.
 *
 * @throws {CodedError} `DEBUG_PROVISIONING_OFF` on a platform that is not set to allow it.
 */
export async function provisionDebug({ url, macAddress }: { url: string; macAddress: string }): Promise<string> {
  const query = new URLSearchParams({ 'mac-address': macAddress });
  const reply = await ask(Provisioned, `${url.replace(/\/$/, '')}/debug/provisioning?${query.toString()}`);
  return reply['access-token'];
}
