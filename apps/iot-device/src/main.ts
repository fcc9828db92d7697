import { readConfig, helpPage, UsageError } from './config.ts';
import { run } from './run.ts';
import { createScreen } from './screen.ts';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config) process.exit(await run(config, createScreen(process.stdout)));
  process.stdout.write(`${helpPage()}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
