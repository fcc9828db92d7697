import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LoadResult, type LoadSpec } from './load-spec.ts';

const PROGRAM = fileURLToPath(new URL('load.main.js', import.meta.url));
const MAX_RESULT_BYTES = 256 * 1_048_576;

/** Runs a load in a process of its own. Rejects with its error output when it cannot connect or reads an answer that is none. */
export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(spec)], {
    maxBuffer: MAX_RESULT_BYTES,
  });
  return LoadResult.parse(JSON.parse(stdout));
}
