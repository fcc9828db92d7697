import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '#testing';

const MEBIBYTE = Buffer.alloc(1_048_576);
const SECTOR = Buffer.alloc(512);

/** A file system of its own that can be filled to the last byte. */
export interface SmallDisk {
  path: string;
  /** Takes all room that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  remove(): Promise<void>;
}

/** Undefined where this process may not mount one, which on Linux needs root. */
export async function mountSmallDisk(mebibytes: number): Promise<SmallDisk | undefined> {
  const folder = await tempDir();
  const { path } = folder;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    await folder.remove();
    return undefined;
  }
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: () => writeUntilFull(ballast),
    free: () => rmSync(ballast, { force: true }),
    remove: async () => {
      execFileSync('umount', ['--lazy', path]);
      await folder.remove();
    },
  };
}

function writeUntilFull(file: string): void {
  const descriptor = openSync(file, 'a');
  try {
    for (const piece of [MEBIBYTE, SECTOR]) while (isWritten(descriptor, piece));
  } finally {
    closeSync(descriptor);
  }
}

function isWritten(descriptor: number, piece: Buffer): boolean {
  try {
    return writeSync(descriptor, piece) === piece.length;
  } catch (error) {
    if (isDiskFull(error)) return false;
    throw error;
  }
}

/** Not by `instanceof Error`: in a jest test Node's own errors are of another realm. */
const isDiskFull = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOSPC';
