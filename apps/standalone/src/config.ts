import { parseArgs } from 'node:util';
import { z } from 'zod';
import { AuthConfig } from '../../auth/src/config.ts';
import { RegistryConfig } from '../../device-registry/src/config.ts';
import { ProvisioningConfig } from '../../provisioning/src/config.ts';
import { TelemetryConfig } from '../../telemetry/src/config.ts';
import { ConfigError, readConfig, SecretKey, ServiceConfig } from '#platform';

/** Variables of the embedded mode: those of the services, with defaults for one machine, and a folder for all data. */
export const StandaloneConfig = ServiceConfig.extend(AuthConfig.omit({ DATABASE_URL: true, FIRST_ADMIN: true }).shape)
  .extend(TelemetryConfig.shape)
  .extend(RegistryConfig.omit({ DATABASE_URL: true }).shape)
  .extend(ProvisioningConfig.omit({ DATABASE_URL: true }).shape)
  .extend({
    PORT: ServiceConfig.shape.PORT.unwrap().default(8080).describe('HTTP port'),
    LOG_LEVEL: ServiceConfig.shape.LOG_LEVEL.unwrap().default('warn').describe('Least level that is logged'),
    TRUST_PROXY: ServiceConfig.shape.TRUST_PROXY.unwrap()
      .default(0)
      .describe('How many proxies in front set X-Forwarded-For'),
    SECRET_KEY: SecretKey.optional().describe(
      'Key that others are derived from; made at first start and kept in the data folder',
    ),
    DEBUG_PROVISIONING: ProvisioningConfig.shape.DEBUG_PROVISIONING.unwrap()
      .prefault('on')
      .describe('on or off: GET /debug/provisioning'),
    DATA_DIR: z.string().min(1).default('data').describe('Folder of all data'),
  });

export type StandaloneConfig = z.output<typeof StandaloneConfig> & {
  /** Start a small simulated fleet. */
  demo: boolean;
};

const FLAGS = {
  'no-demo': { type: 'boolean' },
  port: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const USAGE = `Usage: npm start -- [--no-demo] [--port N] [--data FOLDER]

  --no-demo       no simulated devices
  --port N        HTTP port (PORT, 8080)
  --data FOLDER   where everything is kept (DATA_DIR, ./data)

Environment: PORT, DATA_DIR, ADMIN_EMAIL, ADMIN_PASSWORD, RATE_LIMIT=off|<messages/s>, DEBUG_PROVISIONING=on|off,
SIGNUP=open|closed, LOG_LEVEL and the others of docs/configuration.md.
`;

/** Reads flags and environment; flags win. Undefined: only the usage was asked for. Throws {@link ConfigError}. */
export function readStandaloneConfig(args: string[], env: NodeJS.ProcessEnv): StandaloneConfig | undefined {
  const flags = parseFlags(args);
  if (flags.help) return undefined;
  const config = readConfig(StandaloneConfig, {
    ...env,
    ...(flags.port === undefined ? {} : { PORT: flags.port }),
    ...(flags.data === undefined ? {} : { DATA_DIR: flags.data }),
  });
  return { ...config, demo: flags['no-demo'] !== true };
}

function parseFlags(args: string[]): { 'no-demo'?: boolean; port?: string; data?: string; help?: boolean } {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError([`${error instanceof Error ? error.message : String(error)}\n${USAGE}`]);
  }
}
