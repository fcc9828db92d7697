import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { transform } from '@swc/core';

/** `node --import ./typescript.mjs x.ts`: lets a child process of a test run TypeScript as it stands. */
register(import.meta.url);

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context);
  const source = await readFile(new URL(url), 'utf8');
  const { code } = await transform(source, {
    swcrc: false,
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
