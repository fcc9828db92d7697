import { z } from 'zod';
import { ask, at } from '../http.ts';
import { type Provisioning, tokenOf } from '../link/credentials.ts';
import { MemoryMemory, type ProvisioningMemory, recall } from './memory.ts';

const Provisioned = z.object({ 'access-token': z.string() });
const Kept = z.object({ way: z.literal('debug'), macAddress: z.string(), token: z.string() });

/** A device under development. */
export interface DebugProvisioningOptions {
  url: string;
  /** Hex pairs. */
  macAddress: string;
  /** Keeps the token; in memory by default. */
  memory?: ProvisioningMemory;
}

/**
 * Asks `GET /debug/provisioning` for the access token of the device with this MAC address (hex pairs), which is made if there is
 * none yet. The same address gets the same device back.
 *
 * @throws {CodedError} `DEBUG_PROVISIONING_OFF` on a platform that is not set to allow it.
 */
export async function provisionDebug({ url, macAddress }: { url: string; macAddress: string }): Promise<string> {
  const query = new URLSearchParams({ 'mac-address': macAddress });
  const reply = await ask(Provisioned, at(url, `/debug/provisioning?${query.toString()}`));
  return reply['access-token'];
}

/** The way in of {@link provisionDebug}, whose token is kept until it is refused. */
export function debugProvisioning(options: DebugProvisioningOptions): Provisioning {
  const { url, macAddress, memory = new MemoryMemory() } = options;
  return {
    enter: async (refused) => {
      const kept = await recall(memory, Kept, (document) => document.macAddress === macAddress);
      if (kept && kept.token !== tokenOf(refused)) return { token: kept.token };
      const token = await provisionDebug({ url, macAddress });
      await memory.save({ way: 'debug', macAddress, token } satisfies z.input<typeof Kept>);
      return { token };
    },
  };
}
