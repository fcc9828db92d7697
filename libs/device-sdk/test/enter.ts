import type { DeviceCredentials, Provisioning } from '../src/link/credentials.ts';
import { isFinal } from '../src/refusal.ts';

/** Enters again and again, as a device does, for as long as the failures are passing. */
export async function enter(way: Provisioning, refused?: DeviceCredentials): Promise<DeviceCredentials> {
  for (;;) {
    try {
      return await way.enter(refused);
    } catch (error) {
      if (isFinal(error)) throw error;
    }
  }
}
