import { z } from 'zod';
import { OnOff } from '#platform';

/** Configuration of provisioning. */
export const ProvisioningConfig = z.object({
  DEBUG_PROVISIONING: OnOff.prefault('off').describe(
    'on: GET /debug/provisioning gives any MAC address a device and its token. For development: whoever reaches the service can use it',
  ),
  PROVISIONING_RATE: z.coerce
    .number()
    .int()
    .min(1)
    .default(600)
    .describe('Most debug provisionings a minute from one address, for each replica'),
});
export type ProvisioningConfig = z.output<typeof ProvisioningConfig>;
