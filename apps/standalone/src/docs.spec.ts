import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { apiDocument } from './api-document.ts';
import { configurationTables } from './configuration-tables.ts';

describe('what `npm run docs` writes is up to date', () => {
  it('docs/openapi.json', async () => {
    expect(readFileSync('docs/openapi.json', 'utf8')).toBe(await apiDocument());
  });

  it('docs/configuration.md', () => {
    expect(readFileSync('docs/configuration.md', 'utf8')).toBe(configurationTables());
  });
});
