import { randomBytes } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

interface Lock {
  exec(sql: string): unknown;
  close(): void;
}

const Libsql = createRequire(import.meta.url)('libsql') as new (path: string, options: { timeout: number }) => Lock;

/** Why the folder cannot be used, in one line. */
export class DataFolderError extends Error {}

/** The folder of the embedded mode: everything it keeps, used by one process at a time. */
export class DataFolder {
  readonly path: string;
  private readonly lock: Lock;

  /** Makes the folder where it is missing and takes it. Throws {@link DataFolderError}. */
  constructor(path: string) {
    this.path = resolve(path);
    makeWritable(this.path);
    this.lock = takeLock(this.path);
  }

  /** A path inside the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** The secret of this installation: made once, readable by its owner only. */
  secretKey(): string {
    const file = this.file('secret.key');
    if (!existsSync(file)) {
      writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    }
    chmodSync(file, 0o600);
    return readFileSync(file, 'utf8').trim();
  }

  release(): void {
    this.lock.close();
  }
}

function makeWritable(path: string): void {
  try {
    makeFolder(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    if (process.platform !== 'win32') writeFileSync(join(path, '.writable'), '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DataFolderError(
      `cannot write to the data folder ${path} (${code ?? String(error)}): choose another one with DATA_DIR or --data`,
    );
  }
}

/** As `mkdirSync` with `recursive`, which never ends where a folder cannot be made although its parent is there (as in /proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (!existsSync(dirname(path))) makeFolder(dirname(path));
  mkdirSync(path);
}

/** The operating system gives a file lock back when its process ends, however it ends; so nothing stale is ever left. */
function takeLock(path: string): Lock {
  const lock = new Libsql(join(path, 'lock.db'), { timeout: 0 });
  try {
    lock.exec(
      'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (id INTEGER); COMMIT;',
    );
    return lock;
  } catch (error) {
    lock.close();
    throw new DataFolderError(
      `the data folder ${path} is in use by another Fieldline: stop that one, or choose another folder with --data`,
      {
        cause: error,
      },
    );
  }
}
