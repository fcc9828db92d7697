import { z } from 'zod';
import { OnOff } from '#platform';

/** Configuration of provisioning. */
export const ProvisioningConfig = z.object({
  DATABASE_URL: z
    .string({ error: 'is needed: mysql://user:password@host:3306/provisioning, or file:<path> for SQLite' })
    .regex(/^(?:mysql:\/\/|file:)/, 'must begin with mysql:// or file:')
    .describe("Provisioning's own database: mysql://user:password@host:port/database, or file:<path> for SQLite"),
  DEBUG_PROVISIONING: OnOff.prefault('off').describe(
    'on: GET /debug/provisioning gives any MAC address a device and its token. For development: whoever reaches the service can use it',
  ),
  PROVISIONING_RATE: z.coerce
    .number()
    .int()
    .min(1)
    .default(600)
    .describe('Most provisionings a minute from one address, for each replica'),
});
export type ProvisioningConfig = z.output<typeof ProvisioningConfig>;
