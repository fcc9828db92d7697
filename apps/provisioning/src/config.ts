import { z } from 'zod';
import { Latitude, Longitude } from '#contracts';
import { OnOff, text } from '#platform';

/** A key that every device of a kind knows. */
const DeviceKey = z.string().min(8, 'must have at least 8 characters');

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
  DEVICE_MASTER_SECRET_KEY: DeviceKey.optional().describe(
    'Secret key with which masters ask for their token at GET /auth/devices/request; without it none can',
  ),
  DEVICE_AGENT_SECRET_KEY: DeviceKey.optional().describe('The same for agents; another key than that of masters'),
  DEVICE_REGISTRATION: z
    .enum(['open', 'known'])
    .default('open')
    .describe('known: only masters and agents that the registry has get a token; open: whoever knows the secret key'),
  MQTT_PUBLIC_ADDRESS: z
    .string()
    .regex(/^[^\s/]+:\d{1,5}$/, 'must be host:port')
    .optional()
    .describe(
      'Where devices reach MQTT, host:port, as GET /mqtt tells them; by default port 1883 of the host they asked',
    ),
  LOCATION_URL: z
    .url('must be an address that begins with http:// or https://')
    .regex(/^https?:\/\/.*\{ip\}/, 'must begin with http:// or https://, and have {ip} where the address goes')
    .optional()
    .describe(
      'Where the country and state of an IP address are asked for, such as https://ipapi.co/{ip}/json/; the answer has country_name or country, region or state, latitude and longitude',
    ),
  LOCATION_MMDB: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Path of a file in MaxMind's DB format with cities (such as GeoLite2 City); it is asked before LOCATION_URL",
    ),
  LOCATION_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(50)
    .max(60_000)
    .default(2_000)
    .describe('How long LOCATION_URL may take to answer, in ms'),
  LOCATION_COUNTRY: text(128)
    .optional()
    .describe('Country of devices that provision themselves without a location, where their address says nothing'),
  LOCATION_STATE: text(128).optional().describe('State of those devices'),
  LOCATION_LATITUDE: z.coerce.number().pipe(Latitude).optional().describe('Where their state is, in degrees'),
  LOCATION_LONGITUDE: z.coerce.number().pipe(Longitude).optional().describe('Where their state is, in degrees'),
});
export type ProvisioningConfig = z.output<typeof ProvisioningConfig>;
