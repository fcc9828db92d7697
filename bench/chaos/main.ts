import { parseArgs } from 'node:util';
import { startEmbeddedPlatform } from '../platform/embedded.ts';
import type { Platform } from '../platform/platform.ts';
import { startServersPlatform } from '../platform/servers.ts';
import { number, table } from '../report/table.ts';
import { diskFull, processStrikes } from './embedded-strikes.ts';
import { serverStrikes, SHORT_STRIKES } from './server-strikes.ts';
import { mountSmallDisk } from './small-disk.ts';
import { Strikes, type Outcome, type Strike } from './strike.ts';

const USAGE = `Usage: npm run chaos -- [--embedded] [--servers] [--seconds N] [--short]

  --embedded   one process on SQLite         } both, unless one is named
  --servers    the services on their servers }
  --seconds N  load before each blow and after it (5; with --short 1)
  --short      on the servers only one replica, NATS and the database of readings
`;

const DISK_MIB = 256;
const DEVICES = 20;
const READINGS_PER_SECOND = 500;

const FLAGS = {
  embedded: { type: 'boolean' },
  servers: { type: 'boolean' },
  seconds: { type: 'string' },
  short: { type: 'boolean', default: false },
} as const;

interface ChaosOptions {
  embedded: boolean;
  servers: boolean;
  seconds: number;
  short: boolean;
}

function optionsOrExit(args: string[]): ChaosOptions {
  try {
    const flags = parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
    const isOneNamed = flags.embedded !== undefined || flags.servers !== undefined;
    const seconds = Number(flags.seconds ?? (flags.short ? 1 : 5));
    if (!(seconds > 0)) throw new Error(`--seconds: "${flags.seconds}" is not a number above 0`);
    return {
      embedded: flags.embedded ?? !isOneNamed,
      servers: flags.servers ?? !isOneNamed,
      seconds,
      short: flags.short,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function strikeAll(platform: Platform, strikes: readonly Strike[], seconds: number): Promise<Outcome[]> {
  const tokens = await platform.tokens(DEVICES);
  const run = new Strikes({ platform, tokens, seconds, readingsPerSecond: READINGS_PER_SECOND, now: Date.now() });
  const outcomes: Outcome[] = [];
  for (const strike of strikes) {
    process.stderr.write(`${platform.name}: ${strike.name}\n`);
    outcomes.push(await run.run(strike));
  }
  return outcomes;
}

async function embedded({ seconds }: ChaosOptions): Promise<Outcome[]> {
  const platform = await startEmbeddedPlatform();
  try {
    return await strikeAll(platform, processStrikes(platform), seconds);
  } finally {
    await platform.stop();
  }
}

async function embeddedOnSmallDisk({ seconds }: ChaosOptions): Promise<Outcome[]> {
  const disk = await mountSmallDisk(DISK_MIB);
  if (!disk) {
    process.stderr.write('embedded: no full disk, since mounting one needs root\n');
    return [];
  }
  const platform = await startEmbeddedPlatform(disk.path);
  try {
    return await strikeAll(platform, [diskFull(platform, disk)], seconds);
  } finally {
    await platform.stop();
    await disk.remove();
  }
}

async function servers({ seconds, short }: ChaosOptions): Promise<Outcome[]> {
  const platform = await startServersPlatform();
  try {
    const strikes = serverStrikes(platform).filter(({ name }) => !short || SHORT_STRIKES.includes(name));
    return await strikeAll(platform, strikes, seconds);
  } finally {
    await platform.stop();
  }
}

function print(mode: string, outcomes: readonly Outcome[]): void {
  const head = ['what happened', 'acknowledged', 'found', 'missing', 'foreign', 'resent', 'meanwhile', 'longest pause'];
  const rows = outcomes.map((outcome) => [
    outcome.name,
    ...[outcome.acknowledged, outcome.found, outcome.missing, outcome.foreign].map(number),
    ...[outcome.resent, outcome.acknowledgedWhileAway].map(number),
    `${(outcome.longestPauseMs / 1_000).toFixed(1)} s`,
  ]);
  process.stdout.write(`\n${mode}\n\n${table(head, rows)}\n`);
  for (const { name, problems } of outcomes)
    for (const problem of problems) process.stdout.write(`\n${name}: ${problem}`);
}

async function main(options: ChaosOptions): Promise<void> {
  const outcomes = {
    embedded: options.embedded ? [...(await embedded(options)), ...(await embeddedOnSmallDisk(options))] : [],
    servers: options.servers ? await servers(options) : [],
  };
  for (const [mode, rows] of Object.entries(outcomes)) if (rows.length > 0) print(mode, rows);
  const isLost = Object.values(outcomes).some((rows) => rows.some(({ problems }) => problems.length > 0));
  process.stdout.write(isLost ? '\n\nsomething was lost\n' : '\nnothing was lost\n');
  process.exitCode = isLost ? 1 : 0;
}

await main(optionsOrExit(process.argv.slice(2))).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
