import { z } from 'zod';
import { OnOff } from '#platform';

const ROLES = ['ingress', 'writer', 'query'] as const;

/** What a replica of telemetry does: takes readings in, writes them to the store, answers questions and viewers. */
export type TelemetryRole = (typeof ROLES)[number];

/** Where readings are logged and kept: servers for a suite of services, files for one process. */
export type Storage =
  | { kind: 'servers'; natsUrl: string; mongodbUrl: string; logReplicas: number; databaseUrl: string }
  | { kind: 'files'; folder: string; databaseUrl: string };

const port = z.coerce.number().int().min(0).max(65_535);

/** Variables of the telemetry service that hold in every mode. */
export const TelemetryConfig = z.object({
  ROLES: z
    .string()
    .default(ROLES.join(','))
    .transform((text) => text.split(',').map((role) => role.trim()))
    .pipe(z.array(z.enum(ROLES)).min(1))
    .describe('What this replica does: any of ingress, writer, query, separated by commas'),
  RATE_LIMIT: z
    .union([z.literal('off').transform(() => Number.POSITIVE_INFINITY), z.coerce.number().positive()])
    .default(500)
    .describe('Messages per second that one device or person may send, on each replica; off switches it off'),
  LOG_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1_048_576)
    .default(8_589_934_592)
    .describe('Bytes that the reading log may hold before senders are told to wait'),
  FIRMWARE_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .max(2_147_483_647)
    .default(536_870_912)
    .describe('Bytes that the file of a package of firmware or software may have'),
  COMMAND_HISTORY_DAYS: z.coerce
    .number()
    .min(1)
    .default(30)
    .describe('Days for which commands that have ended are kept'),
  PRESENCE_HISTORY_DAYS: z.coerce
    .number()
    .min(1)
    .default(30)
    .describe("Days for which the history of devices' connections is kept"),
  MQTT_PORT: z
    .union([z.literal('off').transform(() => null), port])
    .optional()
    .describe('Port of MQTT, 1883 by default; 0 for any that is free; off'),
  MQTT_TLS_PORT: port.default(8883).describe('Port of MQTT over TLS, where there is a certificate'),
  MQTT_TLS_CERT: z
    .string()
    .optional()
    .describe('File of the certificate of MQTT over TLS, with its chain, in PEM form'),
  MQTT_TLS_KEY: z.string().optional().describe('File of its private key, in PEM form'),
  MQTT_TLS_CLIENT_CA: z
    .string()
    .optional()
    .describe(
      "File of the authorities that devices' certificates must be from, in PEM form; without it a certificate is known by its fingerprint alone",
    ),
  MQTT_PROXY_PROTOCOL: OnOff.prefault('off').describe(
    'on or off: a gateway in front of MQTT, plain and over TLS, says where a device calls from by the PROXY protocol',
  ),
  RETENTION_DAYS: z.coerce.number().positive().default(3_650).describe('Age in days above which a reading is refused'),
});
export type TelemetryConfig = z.output<typeof TelemetryConfig>;

/** Variables of the telemetry service on servers. */
export const TelemetryServersConfig = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^(?:mysql:\/\/|file:)/, 'must begin with mysql:// or file:')
    .describe(
      "Telemetry's own database, of everything but readings: mysql://user:password@host:port/database, or file:<path> for SQLite",
    ),
  MONGODB_URL: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb://')
    .describe('MongoDB, with the database'),
  LOG_REPLICAS: z.coerce
    .number()
    .int()
    .min(1)
    .max(5)
    .default(1)
    .describe('Copies of the reading log in a NATS cluster'),
});
