import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { apiDocument } from './api-document.ts';

it('the API document of the docs is that of the code (npm run openapi writes it)', async () => {
  expect(readFileSync('docs/openapi.json', 'utf8')).toBe(await apiDocument());
});
