import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';

/** Variables of the command line client; each has a flag, see {@link FLAGS}. */
export const FieldlineConfig = z.object({
  FIELDLINE_URL: z
    .url({ protocol: /^https?$/, error: 'must be an address such as http://localhost:8080' })
    .default('http://localhost:8080')
    .describe('Where the platform is'),
  FIELDLINE_TOKEN: z.string().optional().describe('An access token, in place of email and password'),
  FIELDLINE_EMAIL: z.email({ error: 'must be an email address' }).optional().describe('Who calls'),
  FIELDLINE_PASSWORD: z.string().optional().describe('Their password'),
});
type Variables = z.output<typeof FieldlineConfig>;
type Variable = keyof Variables;

/** The flag that stands for each variable, and wins over it. */
const FLAGS = {
  url: 'FIELDLINE_URL',
  token: 'FIELDLINE_TOKEN',
  email: 'FIELDLINE_EMAIL',
  password: 'FIELDLINE_PASSWORD',
} as const satisfies Record<string, Variable>;

const OPTIONS = {
  url: { type: 'string' },
  token: { type: 'string' },
  email: { type: 'string' },
  password: { type: 'string' },
  format: { type: 'string' },
  errors: { type: 'string' },
  job: { type: 'string' },
  'no-watch': { type: 'boolean' },
  q: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
type Flags = ReturnType<typeof readFlags>['values'];

export type FileFormat = 'csv' | 'ndjson';

/** Who calls. */
export type Login = { kind: 'token'; token: string } | { kind: 'person'; email: string; password: string };

/** What is to be done. */
export type Command =
  | { do: 'import'; file: string; format: FileFormat; watch: boolean; errorsFile: string | undefined }
  | { do: 'watch'; jobId: string; errorsFile: string | undefined }
  | { do: 'list'; text: string | undefined };

export interface Config {
  /** Without a slash at the end. */
  url: string;
  login: Login;
  command: Command;
}

/** The command cannot be carried out; the message is one line that says why and what to do. */
export class UsageError extends Error {}

/** The page that `--help` prints. */
export const helpPage = (): string =>
  [
    'npm run fieldline -- <command> [flags]',
    '',
    '  devices import <file>   makes the devices of a CSV file, or of JSON lines (.ndjson, .jsonl); - is standard input',
    '      --format <format>     csv or ndjson, where the name of the file does not say it',
    '      --errors <file>       saves all rows that failed, as CSV',
    '      --no-watch            ends when the file is sent: the platform goes on by itself',
    '  devices import --job <id>   shows how far an import is that was sent before',
    '  devices list            the devices that you may see',
    '      --q <text>            those whose name, serial or MAC address begins like this',
    '',
    '  flag          or variable',
    ...Object.entries(FLAGS).map(
      ([flag, name]) => `  --${flag.padEnd(11)} ${name.padEnd(19)} ${FieldlineConfig.shape[name].description ?? ''}`,
    ),
    '',
    'A variable with _FILE after its name names a file to read it from, such as FIELDLINE_PASSWORD_FILE.',
    'The first line of a CSV file names its columns: name, and any of macAddress, serial, customer, profile, labels (separated by ;), kind.',
    'A file may be sent again: devices that are there already stay as they are.',
    '',
    'Exit code: 0 when everything is done, 1 when something failed, 2 when the command is not understood.',
  ].join('\n');

/**
 * Reads the command and its flags, then variables, then defaults; undefined when help is wanted.
 *
 * @throws {UsageError} for anything that is not understood.
 */
export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv): Config | undefined {
  const { values, positionals } = readFlags(args);
  if (values.help === true || args.length === 0) return undefined;
  const command = commandOf(positionals, values);
  const given = Object.fromEntries(
    Object.entries(FLAGS).map(([flag, name]) => [name, values[flag as keyof typeof FLAGS] ?? readVariable(name, env)]),
  );
  const parsed = FieldlineConfig.safeParse(given);
  if (!parsed.success) throw new UsageError(describeIssue(parsed.error));
  return { url: parsed.data.FIELDLINE_URL.replace(/\/+$/, ''), login: loginOf(parsed.data), command };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(`${sentence ?? ''}. ${SEE_HELP}`);
  }
}

const SEE_HELP = 'See npm run fieldline -- --help.';

function commandOf([subject, verb, ...rest]: readonly string[], flags: Flags): Command {
  if (subject === 'devices' && verb === 'import') return importOf(rest, flags);
  if (subject === 'devices' && verb === 'list' && rest.length === 0) return { do: 'list', text: flags.q };
  throw new UsageError(`There is no command "${[subject, verb, ...rest].join(' ')}". ${SEE_HELP}`);
}

function importOf([file, ...rest]: readonly string[], flags: Flags): Command {
  const errorsFile = flags.errors;
  if (flags.job !== undefined && file === undefined) return { do: 'watch', jobId: jobIdOf(flags.job), errorsFile };
  if (flags.job !== undefined) throw new UsageError('Give a file or --job, not both.');
  if (file === undefined || rest.length > 0) throw new UsageError(`Give one file to import. ${SEE_HELP}`);
  const watch = flags['no-watch'] !== true;
  if (!watch && errorsFile !== undefined)
    throw new UsageError('--errors needs the end of the import: leave out --no-watch.');
  return { do: 'import', file, format: formatOf(file, flags.format), watch, errorsFile };
}

function jobIdOf(text: string): string {
  const id = z.uuid().safeParse(text);
  if (!id.success) throw new UsageError('--job must be the id of an import, as it was told when the file was sent.');
  return id.data;
}

function formatOf(file: string, format: string | undefined): FileFormat {
  if (format === 'csv' || format === 'ndjson') return format;
  if (format !== undefined) throw new UsageError('--format must be csv or ndjson.');
  return /\.(?:ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv';
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
  return `--${String(flag)} (${String(name)}) ${issue?.message ?? 'is not valid'}.`;
}

function loginOf({ FIELDLINE_TOKEN: token, FIELDLINE_EMAIL: email, FIELDLINE_PASSWORD: password }: Variables): Login {
  if (token !== undefined) return { kind: 'token', token };
  if (email !== undefined && password !== undefined) return { kind: 'person', email, password };
  throw new UsageError('Who calls? Give --email and --password, or --token.');
}
