/**
 * Lets a worker thread run TypeScript sources, for tests and for runs without a build: jest compiles what it loads itself,
 * but not what a worker thread loads. Preloaded with `--import`; a build never uses it.
 */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
