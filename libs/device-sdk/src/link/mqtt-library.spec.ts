import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const TEST = join(import.meta.dirname, '../../test');
const loaded = async (transport: string): Promise<number> => {
  const args = [
    '--conditions=source',
    '--import',
    join(TEST, 'typescript.mjs'),
    join(TEST, 'list-modules.ts'),
    transport,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
};

it('loads the library of MQTT for MQTT alone', async () => {
  expect(await loaded('socket')).toBe(0);
  expect(await loaded('mqtt')).toBeGreaterThan(0);
});
