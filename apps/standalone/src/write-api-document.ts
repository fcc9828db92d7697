import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { apiDocument } from './api-document.ts';

writeFileSync('docs/openapi.json', await apiDocument());
process.exit(0);
