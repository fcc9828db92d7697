import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { LIMITS, Latitude, Longitude, SENSOR_NAME } from '#contracts';
import { type Sender, senderOf } from './sender.ts';
import { UsageError } from './usage-error.ts';

/** How many readings of one sensor a second can hold, each with a time of its own. */
const READINGS_PER_SENSOR = 1_000;

const positive = z.coerce.number({ error: 'must be a number' }).positive('must be more than 0');
const count = z.coerce.number({ error: 'must be a number' }).int('must be a whole number').min(1, 'must be at least 1');

const word = (most: number, least = 1) =>
  z
    .string()
    .min(least, least === 1 ? 'must not be empty' : `must have at least ${least} characters`)
    .max(most, `must have at most ${most} characters`);
const degrees = z.coerce.number({ error: 'must be a number of degrees' });
const uuid = z.uuid({ error: 'must be a uuid' });

/** A list in one text, `a,b,c`. */
const split = (text: string): string[] => text.split(',').map((part) => part.trim());

/** Variables of the simulated device; each has a flag, see {@link FLAGS}. */
export const IotDeviceConfig = z.object({
  FIELDLINE_URL: z
    .url({ protocol: /^https?$/, error: 'must be an address such as http://localhost:8080' })
    .default('http://localhost:8080')
    .describe('Where the platform is'),
  DEVICE_TRANSPORT: z
    .enum(['socket', 'mqtt'], { error: 'must be socket or mqtt' })
    .optional()
    .describe(
      'Over what devices speak with the platform: socket (socket.io) or mqtt; with --mqtt it is mqtt, else socket',
    ),
  FIELDLINE_MQTT_URL: z
    .url({
      protocol: /^(mqtts?|wss?)$/,
      error: 'must be an address such as mqtt://localhost:1883 or wss://localhost/mqtt',
    })
    .optional()
    .describe('Where the platform speaks MQTT; without it at the host of --url, port 1883, or 8883 with TLS for https'),
  DEVICE_TOKEN: z
    .string()
    .transform(split)
    .pipe(z.array(z.string().min(1, 'must not have an empty token')))
    .optional()
    .describe("A device's access token; or one for each device, separated by commas"),
  DEVICE_EMAIL: z
    .email({ error: 'must be an email address' })
    .optional()
    .describe(
      'Send as this person, to their own gateway; with zero-touch, the administrator or operator who provisions',
    ),
  DEVICE_PASSWORD: z.string().optional().describe('The password of that person'),
  DEVICE_PROVISION: z
    .enum(['debug', 'two-step', 'uuid', 'zero-touch', 'pair'], {
      error: 'must be debug, two-step, uuid, zero-touch or pair',
    })
    .optional()
    .describe('How every device gets itself in: debug, two-step, uuid, zero-touch or pair'),
  DEVICE_STATE: z
    .string()
    .min(1, 'must name a folder')
    .optional()
    .describe('Folder that keeps what devices learned while they got in; without it in the outbox, else in memory'),
  DEVICE_CUSTOMER: word(64)
    .optional()
    .describe("The customer's number: two-step needs it, zero-touch makes devices the customer's"),
  DEVICE_SECRET_KEY: word(1_024).optional().describe('uuid: the secret key of masters or of agents'),
  DEVICE_UUID: uuid.optional().describe('uuid: the uuid of a single device; without it devices make their own'),
  DEVICE_MASTER: uuid.optional().describe('uuid: the master of agents'),
  DEVICE_PROVISIONING_KEY: word(512)
    .optional()
    .describe('zero-touch: a provisioning key, in place of an email address and password'),
  DEVICE_NAME: word(100)
    .optional()
    .describe("zero-touch: the device's name, or how names begin; by default the host's"),
  DEVICE_SERIAL: word(100)
    .optional()
    .describe("zero-touch: the serial number, or how those begin; by default the machine's"),
  DEVICE_PROFILE: word(128).optional().describe('zero-touch: the name of the device profile'),
  DEVICE_COUNTRY_PROFILE: word(128).optional().describe("zero-touch: the name of the country's asset profile"),
  DEVICE_STATE_PROFILE: word(128).optional().describe("zero-touch: the name of the state's asset profile"),
  DEVICE_COUNTRY: word(128).optional().describe('zero-touch: where the device is; without it the platform finds out'),
  DEVICE_REGION: word(128).optional().describe('zero-touch: the state or region of that country'),
  DEVICE_LATITUDE: degrees.pipe(Latitude).optional().describe('zero-touch: degrees north, with --country and --region'),
  DEVICE_LONGITUDE: degrees.pipe(Longitude).optional().describe('zero-touch: degrees east, with --latitude'),
  DEVICE_PAIR_KEY: word(120, 6).optional().describe('pair: the key by which a user claims the device'),
  DEVICE_OWNER_KEY: word(128, 8).optional().describe("pair: the secret of the user's app"),
  DEVICE_PAIR_MINUTES: positive
    .max(10_080, 'must be at most 10080')
    .default(60)
    .describe('pair: minutes to wait for a user'),
  DEVICE_MAC_PREFIX: z
    .string()
    .regex(/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){0,3}$/, 'must be one to four hex pairs such as 02:F1')
    .default('02:F1:E1')
    .describe('debug, two-step, pair: how MAC addresses begin'),
  DEVICE_SENSORS: z
    .string()
    .transform(split)
    .pipe(z.array(z.string().regex(SENSOR_NAME, 'must be names of 1-64 of A-Z a-z 0-9 _ . - : /')))
    .default(['temperature', 'humidity'])
    .describe('Sensors of each device'),
  DEVICE_RATE: positive.default(1).describe('Readings a second of each device, all its sensors together'),
  DEVICE_COUNT: count
    .max(100_000, 'must be at most 100000')
    .optional()
    .describe('Simulated devices; without it 1, or as many as there are tokens'),
  DEVICE_BATCH: count
    .max(LIMITS.batchReadings, `must be at most ${LIMITS.batchReadings}`)
    .default(500)
    .describe('Readings in a message at most'),
  DEVICE_OUTBOX: z
    .string()
    .optional()
    .describe('Folder that keeps readings without a receipt; without it they are in memory'),
  DEVICE_DURATION: positive
    .max(2_000_000, 'must be at most 2000000')
    .optional()
    .describe('Seconds to run; without it for ever'),
  DEVICE_LOCATION: z
    .string()
    .max(LIMITS.locationChars, `must have at most ${LIMITS.locationChars} characters`)
    .optional()
    .describe('Label sent with every reading'),
  DEVICE_SEED: z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .default(1)
    .describe('The same seed gives the same signals'),
});
export type Variables = z.output<typeof IotDeviceConfig>;
type Variable = keyof Variables;

/** The flag that stands for each variable, and wins over it. */
const FLAGS = {
  url: 'FIELDLINE_URL',
  transport: 'DEVICE_TRANSPORT',
  mqtt: 'FIELDLINE_MQTT_URL',
  token: 'DEVICE_TOKEN',
  email: 'DEVICE_EMAIL',
  password: 'DEVICE_PASSWORD',
  provision: 'DEVICE_PROVISION',
  state: 'DEVICE_STATE',
  'mac-prefix': 'DEVICE_MAC_PREFIX',
  customer: 'DEVICE_CUSTOMER',
  'secret-key': 'DEVICE_SECRET_KEY',
  uuid: 'DEVICE_UUID',
  master: 'DEVICE_MASTER',
  'provisioning-key': 'DEVICE_PROVISIONING_KEY',
  name: 'DEVICE_NAME',
  serial: 'DEVICE_SERIAL',
  'device-profile': 'DEVICE_PROFILE',
  'country-profile': 'DEVICE_COUNTRY_PROFILE',
  'state-profile': 'DEVICE_STATE_PROFILE',
  country: 'DEVICE_COUNTRY',
  region: 'DEVICE_REGION',
  latitude: 'DEVICE_LATITUDE',
  longitude: 'DEVICE_LONGITUDE',
  'pair-key': 'DEVICE_PAIR_KEY',
  'owner-key': 'DEVICE_OWNER_KEY',
  'pair-minutes': 'DEVICE_PAIR_MINUTES',
  sensors: 'DEVICE_SENSORS',
  rate: 'DEVICE_RATE',
  devices: 'DEVICE_COUNT',
  batch: 'DEVICE_BATCH',
  outbox: 'DEVICE_OUTBOX',
  duration: 'DEVICE_DURATION',
  location: 'DEVICE_LOCATION',
  seed: 'DEVICE_SEED',
} as const satisfies Record<string, Variable>;

/** A run of the simulated devices; rate in readings per second and device, duration in seconds. */
export interface Config {
  url: string;
  transport: 'socket' | 'mqtt';
  mqttUrl?: string;
  sender: Sender;
  devices: number;
  sensors: string[];
  rate: number;
  batch: number;
  outbox?: string;
  /** Where devices keep what they learned; in memory without it. */
  state?: string;
  duration?: number;
  location?: string;
  seed: number;
}

/** The page that `--help` prints. */
export function helpPage(): string {
  const rows = Object.entries(FLAGS).map(
    ([flag, name]) => `  --${flag.padEnd(17)} ${name.padEnd(24)} ${IotDeviceConfig.shape[name].description}`,
  );
  return [
    'npm run device -- [flags]                       simulated devices that send readings',
    'npm run device -- provision --config <file>     this machine gets itself in by zero touch; see its own --help',
    '',
    '  flag                or variable',
    ...rows,
    '',
    'A variable with _FILE after its name names a file to read it from, such as DEVICE_TOKEN_FILE.',
    'With one token or a person, all devices send through one gateway, with their number after the names of their sensors.',
  ].join('\n');
}

/**
 * Reads flags, then variables, then defaults; undefined when help is wanted.
 *
 * @throws {UsageError} for anything that is not understood.
 */
export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Config | undefined {
  const flags = readFlags(args);
  if (flags['help'] !== undefined) return undefined;
  const given = Object.fromEntries(
    Object.entries(FLAGS).map(([flag, name]) => [name, flags[flag] ?? readVariable(name, env)]),
  );
  const parsed = IotDeviceConfig.safeParse(given);
  if (!parsed.success) throw new UsageError(describeIssue(parsed.error));
  return toConfig(parsed.data);
}

function readFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const strings = Object.keys(FLAGS).map((flag) => [flag, { type: 'string' }] as const);
  try {
    return parseArgs({
      args: [...args],
      options: { ...Object.fromEntries(strings), help: { type: 'boolean' as const, short: 'h' } },
    }).values;
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(`${sentence}. See npm run device -- --help.`);
  }
}

function readVariable(name: Variable, env: NodeJS.ProcessEnv): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name] || !file) return env[name] || undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`${name}_FILE cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function describeIssue({ issues: [issue] }: z.ZodError): string {
  const [flag, name] = Object.entries(FLAGS).find(([, variable]) => variable === issue?.path[0]) ?? [];
  return `--${flag} (${name}) ${issue?.message}.`;
}

function toConfig(given: Variables): Config {
  const sender = senderOf(given);
  const transport = given.DEVICE_TRANSPORT ?? (given.FIELDLINE_MQTT_URL === undefined ? 'socket' : 'mqtt');
  if (sender.kind === 'person' && transport === 'mqtt') {
    throw new UsageError('A person sends by --transport socket alone: MQTT is for devices.');
  }
  const tokens = given.DEVICE_TOKEN?.length ?? 1;
  const devices = given.DEVICE_COUNT ?? tokens;
  const oneForAll = tokens === 1 && sender.kind === 'tokens';
  if (given.DEVICE_TOKEN && tokens !== devices && !oneForAll) {
    throw new UsageError(`There are ${tokens} tokens for ${devices} devices: give one for each, or one for all.`);
  }
  if (given.DEVICE_RATE > READINGS_PER_SENSOR * given.DEVICE_SENSORS.length) {
    throw new UsageError(`--rate can be at most ${READINGS_PER_SENSOR} for each sensor: add sensors or devices.`);
  }
  return {
    url: given.FIELDLINE_URL,
    transport,
    mqttUrl: given.FIELDLINE_MQTT_URL,
    sender,
    devices,
    sensors: given.DEVICE_SENSORS,
    rate: given.DEVICE_RATE,
    batch: given.DEVICE_BATCH,
    outbox: given.DEVICE_OUTBOX,
    state: given.DEVICE_STATE ?? (given.DEVICE_OUTBOX === undefined ? undefined : join(given.DEVICE_OUTBOX, '.state')),
    duration: given.DEVICE_DURATION,
    location: given.DEVICE_LOCATION,
    seed: given.DEVICE_SEED,
  };
}
