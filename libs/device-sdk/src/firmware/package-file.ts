import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { isErrno } from '../outbox/folder-lock.ts';
import { replaceFile } from '../provisioning/file-memory.ts';
import type { FirmwarePackage } from './assigned.ts';

/** How often a package failed, kept from one run to the next. */
const Attempts = z.object({ downloads: z.number().int(), installs: z.number().int() });
export type Attempts = z.output<typeof Attempts>;

/** The file of one package in the device's folder: a `.part` until it is whole and its checksum right. */
export class PackageFile {
  /** The verified package. */
  readonly path: string;
  private readonly part: string;
  private readonly notes: string;

  constructor(
    private readonly folder: string,
    private readonly wanted: FirmwarePackage,
  ) {
    this.path = resolve(folder, `${wanted.kind}-${wanted.checksum}`);
    this.part = `${this.path}.part`;
    this.notes = `${this.path}.json`;
  }

  /** Makes the folder, and room in it: what is left of other packages of this kind goes. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const ours = new RegExp(`^${this.wanted.kind}-[0-9a-f]{64}(\\.part|\\.json)?$`);
    const names = await readdir(this.folder);
    const others = names.filter((name) => ours.test(name) && !name.includes(this.wanted.checksum));
    await Promise.all(others.map((name) => rm(join(this.folder, name), { force: true })));
  }

  /** Bytes that are there. */
  async size(): Promise<number> {
    return (await sizeOf(this.path)) ?? (await sizeOf(this.part)) ?? 0;
  }

  /** Appends bytes as they come; they are on the disk once it resolves. `told` hears how many there are, after each part. */
  async append(parts: AsyncIterable<Uint8Array>, told: (bytes: number) => void): Promise<void> {
    const file = await open(this.part, 'a', 0o600);
    try {
      let { size } = await file.stat();
      for await (const bytes of parts) {
        if (size + bytes.length > this.wanted.size) throw new TooManyBytesError(this.wanted);
        await file.appendFile(bytes);
        size += bytes.length;
        told(size);
      }
    } finally {
      await file.sync();
      await file.close();
    }
  }

  /** Is the whole package here, and is it what it should be? */
  async isRight(): Promise<boolean> {
    if ((await sizeOf(this.path)) === undefined) {
      if ((await sizeOf(this.part)) === undefined) await (await open(this.part, 'a', 0o600)).close();
      if ((await checksumOf(this.part)) !== this.wanted.checksum) return false;
      await rename(this.part, this.path);
      return true;
    }
    return (await checksumOf(this.path)) === this.wanted.checksum;
  }

  /** The bytes are not those of the package. */
  async discard(): Promise<void> {
    await Promise.all([this.path, this.part].map((path) => rm(path, { force: true })));
  }

  /** Nothing of the package is needed any more. */
  async remove(): Promise<void> {
    await this.discard();
    await rm(this.notes, { force: true });
  }

  async attempts(): Promise<Attempts> {
    const text = await readFile(this.notes, 'utf8').catch(() => '{}');
    return Attempts.safeParse(jsonOf(text)).data ?? { downloads: 0, installs: 0 };
  }

  async note(attempts: Attempts): Promise<void> {
    await replaceFile(this.notes, `${JSON.stringify(attempts)}\n`, { mode: 0o600 });
  }
}

/** The platform gave more than the package has. */
export class TooManyBytesError extends Error {
  constructor({ size }: FirmwarePackage) {
    super(`More came than the ${size} bytes that the package has.`);
    this.name = 'TooManyBytesError';
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function checksumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
