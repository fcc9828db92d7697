import { z } from 'zod';
import { SecretKey } from '#platform';

/** Configuration of the device registry. */
export const RegistryConfig = z.object({
  DATABASE_URL: z
    .string({ error: 'is needed: mysql://user:password@host:3306/registry, or file:<path> for SQLite' })
    .regex(/^(?:mysql:\/\/|file:)/, 'must begin with mysql:// or file:')
    .describe("The registry's own database: mysql://user:password@host:port/database, or file:<path> for SQLite"),
  SECRET_KEY: SecretKey.describe(
    "Key that the tokens of self-provisioned devices are derived from, and the key of devices' JSON web tokens; the same on every replica",
  ),
  DEVICE_JWT_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(31_536_000)
    .default(86_400)
    .describe("How long a device's JSON web token is valid, in seconds"),
});
export type RegistryConfig = z.output<typeof RegistryConfig>;
