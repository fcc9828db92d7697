import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Why a configuration cannot be used: one line for each offending variable. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

/**
 * Reads a configuration from environment variables through a schema whose keys are their names. A variable that is set to
 * nothing counts as not set. For a secret, `NAME_FILE` may name a file that holds it (as Docker secrets do).
 * Throws {@link ConfigError}.
 */
export function readConfig<T extends z.ZodObject>(schema: T, env: NodeJS.ProcessEnv): z.output<T> {
  const problems: string[] = [];
  const values: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = readVariable(name, env, problems);
    if (value !== undefined) values[name] = value;
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return parsed.data;
}

function readVariable(name: string, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const plain = env[name];
  if (plain !== undefined && plain !== '') return plain;
  const file = env[`${name}_FILE`];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } catch (error) {
    problems.push(`${name}_FILE: cannot be read (${error instanceof Error ? error.message : String(error)})`);
    return undefined;
  }
}

/** `on` or `off`. */
export const OnOff = z.enum(['on', 'off']).transform((value) => value === 'on');

/** Variables that every service has. The descriptions are the configuration table of the documents. */
export const ServiceConfig = z.object({
  HOST: z.string().default('0.0.0.0').describe('Address to listen on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000).describe('HTTP port'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least level that is logged'),
  TRUST_PROXY: z.coerce
    .number()
    .int()
    .min(0)
    .default(1)
    .describe('How many proxies in front set X-Forwarded-For; 0 when people reach the service directly'),
});
export type ServiceConfig = z.output<typeof ServiceConfig>;

/** The server that services talk over. */
export const NatsConfig = z.object({
  NATS_URL: z.string().min(1).default('nats://127.0.0.1:4222').describe('NATS servers, separated by commas'),
});

/** A key that other keys and secrets are derived from. */
export const SecretKey = z
  .string({ error: 'is needed: at least 32 characters, for example from `openssl rand -base64 32`' })
  .min(32, 'must have at least 32 characters, for example from `openssl rand -base64 32`');
