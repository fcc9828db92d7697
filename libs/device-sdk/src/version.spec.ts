import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { SDK_VERSION } from './version.ts';

it('has the version of the project that it comes with', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../package.json'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ version: SDK_VERSION });
});
