import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { rpcServer } from '#messaging';
import { createService, openApiOf } from '#platform';
import { readStandaloneConfig } from './config.ts';
import { DataFolder } from './data-folder.ts';
import { StandaloneModule } from './standalone.module.ts';

/** The version of the API that this code serves. */
export const API_VERSION = '1.0';

/** The OpenAPI document of every route of the house, as the text of docs/openapi.json. */
export async function apiDocument(): Promise<string> {
  const path = mkdtempSync(join(tmpdir(), 'fieldline-api-'));
  const folder = new DataFolder(path);
  const config = readStandaloneConfig([], {});
  if (!config) throw new Error('no configuration');
  const logger = pino({ level: 'silent' });
  const module = StandaloneModule.register(config, folder, logger);
  const app = await createService({ name: 'api', module, config, logger, rpc: rpcServer });
  try {
    return `${JSON.stringify(openApiOf(app, API_VERSION), null, 2)}\n`;
  } finally {
    await app.close();
    folder.release();
    rmSync(path, { recursive: true, force: true });
  }
}
