import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithTheTests } from './running.ts';

export interface TempDir {
  /** Absolute. */
  path: string;
  /** Deletes it with all that is in it. */
  remove(): Promise<void>;
}

/** A new empty folder, deleted at the end of the test file at the latest. */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), `fieldline-${process.pid}-`));
  const stop = () => rm(path, { recursive: true, force: true, maxRetries: 5 });
  const remove = endWithTheTests(stop);
  return { path, remove };
}
