import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CodedError } from '#contracts';
import { isErrno } from '../outbox/folder-lock.ts';
import type { ProvisioningMemory } from './memory.ts';

/** Keeps the document in a file that its owner alone can read: it has the device's credentials in clear. */
export class FileMemory implements ProvisioningMemory {
  readonly path: string;

  /** The folder is made with the first save. */
  constructor(path: string) {
    this.path = resolve(path);
  }

  /** Throws `INVALID_INPUT` for a file that is not ours. */
  async load(): Promise<unknown> {
    try {
      return JSON.parse(await readFile(this.path, 'utf8'));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (!(error instanceof SyntaxError)) throw error;
      throw new CodedError(
        'INVALID_INPUT',
        `${this.path} is not what a device keeps there: remove it, and the device is provisioned anew.`,
      );
    }
  }

  async save(document: object): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await replaceFile(this.path, `${JSON.stringify(document, undefined, 2)}\n`, { mode: 0o600 });
  }
}

/** Who may read a file. */
export interface FileRights {
  mode: number;
  /** Given by the superuser only; the file belongs to the process's user otherwise. */
  uid?: number;
  gid?: number;
}

/** Writes a file so that after a crash or a loss of power there is the old one or the new one, whole. */
export async function replaceFile(path: string, text: string, { mode, uid, gid }: FileRights): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.chmod(mode);
      if (uid !== undefined && gid !== undefined && process.getuid?.() === 0) await file.chown(uid, gid);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A file's name survives a loss of power only once its folder is synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
