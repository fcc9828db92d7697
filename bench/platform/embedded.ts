import { join } from 'node:path';
import { tempDir } from '#testing';
import { startEmbedded, type EmbeddedHouse } from '../../e2e/house.ts';
import { Platform } from './platform.ts';
import { readSqlite } from './sqlite-reader.ts';

/** Nothing but the load limits the load. */
export const UNLIMITED = { RATE_LIMIT: 'off', LOG_LEVEL: 'warn' };

/** The embedded mode, with its data in a folder of its own unless one is named. */
export async function startEmbeddedPlatform(dataDir?: string): Promise<Platform<EmbeddedHouse>> {
  const folder = dataDir === undefined ? await tempDir() : { path: dataDir, remove: () => Promise.resolve() };
  const house = await startEmbedded({ environment: UNLIMITED, dataDir: folder.path });
  const stop = async () => {
    await house.stop();
    await folder.remove();
  };
  return new Platform({
    name: 'embedded',
    house: { ...house, stop },
    telemetry: ['standalone'],
    openStore: async () => readSqlite(join(folder.path, 'readings.db')),
  });
}
