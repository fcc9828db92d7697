import { userLogin, type GetToken } from '#device-sdk';
import { helpPage, readConfig, UsageError, type Config } from './config.ts';
import { importDevices, watchImport } from './import-devices.ts';
import { listDevices } from './list-devices.ts';
import { Platform } from './platform.ts';
import { createScreen } from './screen.ts';

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config) process.exit(await run(config));
  process.stdout.write(`${helpPage()}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}

function run({ url, login, command }: Config): Promise<number> {
  const getToken: GetToken = login.kind === 'token' ? () => Promise.resolve(login.token) : userLogin({ url, ...login });
  const platform = new Platform(url, getToken);
  switch (command.do) {
    case 'import':
      return importDevices(platform, createScreen(process.stdout), command);
    case 'watch':
      return watchImport(platform, createScreen(process.stdout), command.jobId, command.errorsFile);
    case 'list':
      return listDevices(platform, process.stdout, command.text);
  }
}
