import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OutboxLockedError } from './outbox.ts';

/** Folders locked by this very process: its process id cannot tell two of its outboxes apart. */
const heldHere = new Set<string>();

/**
 * Takes a folder for this process alone, with a file `lock` that names the holder by process id and start time, so that
 * a crashed holder, whose id may have gone to another process, holds nothing. Returns the function that lets go.
 *
 * @throws {OutboxLockedError} while another holder is alive.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  if (heldHere.has(folder)) throw new OutboxLockedError(folder, process.pid);
  heldHere.add(folder);
  try {
    await takeLockFile(folder);
  } catch (error) {
    heldHere.delete(folder);
    throw error;
  }
  return async () => {
    await rm(join(folder, 'lock'), { force: true });
    heldHere.delete(folder);
  };
}

async function takeLockFile(folder: string): Promise<void> {
  const path = join(folder, 'lock');
  const identity = await identityOf(process.pid);
  for (;;) {
    if (await createFile(path, identity)) return;
    const holder = await readFile(path, 'utf8').catch(() => '');
    const pid = Number(holder.split(' ')[0]);
    if (holder !== identity && pid > 0 && (await identityOf(pid)) === holder) throw new OutboxLockedError(folder, pid);
    await clearStale(path);
  }
}

async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Of several processes that find the same stale lock, one moves it away; the others find it gone. */
async function clearStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}

/** `<pid> <start time>` of a living process, `<pid> dead` of one that is not; the start time is known on Linux only (proc(5), field 22). */
async function identityOf(pid: number): Promise<string> {
  if (!isAlive(pid)) return `${pid} dead`;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${pid} ${afterName[19] ?? 'unknown'}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** Goes by the code alone: an error of Node's own may be of another realm. */
export const isErrno = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
