import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { apiDocument } from './api-document.ts';
import { configurationTables } from './configuration-tables.ts';

writeFileSync('docs/configuration.md', configurationTables());
writeFileSync('docs/openapi.json', await apiDocument());
process.exit(0);
