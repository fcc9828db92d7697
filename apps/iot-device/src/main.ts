import { readConfig, helpPage } from './config.ts';
import { provision } from './provision/provision.ts';
import { run } from './run.ts';
import { createScreen } from './screen.ts';
import { UsageError } from './usage-error.ts';

const [command, ...rest] = process.argv.slice(2);

/** Carries out what the command line says; gives the exit code. */
async function main(): Promise<number> {
  if (command === 'provision') {
    return provision(rest, {
      out: (line) => process.stdout.write(`${line}\n`),
      err: (line) => process.stderr.write(`${line}\n`),
    });
  }
  const config = readConfig(process.argv.slice(2), process.env);
  if (config) return run(config, createScreen(process.stdout));
  process.stdout.write(`${helpPage()}\n`);
  return 0;
}

/** Nobody reads any more what is written, as after `| head`. */
process.stdout.on('error', () => process.exit(1));

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
