import { parseArgs } from 'node:util';
import { z } from 'zod';

const Options = z.object({
  embedded: z.boolean(),
  servers: z.boolean(),
  startup: z.boolean(),
  registry: z.boolean(),
  mqtt: z.boolean(),
  devices: z.coerce.number().int().min(100_000),
  seconds: z.coerce.number().positive(),
  rounds: z.coerce.number().int().positive(),
  soak: z.coerce.number().positive().optional(),
  json: z.string().optional(),
});
export type BenchOptions = z.output<typeof Options>;

export const USAGE = `Usage: npm run bench -- [--embedded] [--servers] [--seconds N] [--rounds N] [--json FILE] [--registry] [--mqtt] [--devices N]
                            [--startup] [--soak MINUTES]

  --embedded      one process on SQLite         } both, unless one is named
  --servers       the services on their servers }
  --seconds N     measured in each run (5)
  --rounds N      turns with the empty handler (2)
  --json FILE     writes the figures
  --registry      only devices: imports, ways in, credentials, lists
  --mqtt          only MQTT and commands
  --devices N     devices in the registry when it is listed and searched (1000000)
  --startup       instead: time until ready and idle memory of the embedded mode
  --soak MINUTES  instead: memory of the embedded mode under half of its peak rate
`;

const FLAGS = {
  embedded: { type: 'boolean' },
  servers: { type: 'boolean' },
  startup: { type: 'boolean', default: false },
  registry: { type: 'boolean', default: false },
  mqtt: { type: 'boolean', default: false },
  devices: { type: 'string', default: '1000000' },
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '2' },
  soak: { type: 'string' },
  json: { type: 'string' },
} as const;

/** Throws an error whose message is for the person who typed them. */
export function readOptions(args: string[]): BenchOptions {
  const { embedded, servers, ...others } = parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
  const isOneNamed = embedded !== undefined || servers !== undefined;
  const parsed = Options.safeParse({ ...others, embedded: embedded ?? !isOneNamed, servers: servers ?? !isOneNamed });
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}`).join('\n'));
}
