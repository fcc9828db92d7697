import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasOwn, startOwn, type OwnServer, type OwnServerOptions } from './own-server.ts';
import { tempDir } from './temp-dir.ts';

export interface NatsOptions extends OwnServerOptions {
  /**
   * Text of a nats-server configuration; default `jetstream { sync_interval: always }`. Address, port and storage folder
   * are set from outside.
   */
  config?: string;
}

/** A nats-server of the test's own with JetStream on files, every message synced before its acknowledgement; about 0.1 s. */
export async function startNats({ config, ...options }: NatsOptions = {}): Promise<OwnServer> {
  const configFile = config === undefined ? [] : [await written(config)];
  return startOwn(
    {
      server: 'nats',
      url: (port) => `nats://127.0.0.1:${port}`,
      args: (dataDir, port) => [dataDir, String(port), ...configFile],
    },
    options,
  );
}

async function written(config: string): Promise<string> {
  const folder = await tempDir();
  const file = join(folder.path, 'nats.conf');
  await writeFile(file, config);
  return file;
}

/** NATS with nobody else on it where that can be had, else the server that NATS_URL names. For tests that do not kill it. */
export async function freshNats(): Promise<{ url: string; stop(): Promise<void> }> {
  const shared = process.env['NATS_URL'];
  if (hasOwn('nats') || !shared) return startNats();
  return { url: shared, stop: () => Promise.resolve() };
}
