import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type UserPrincipal } from '#contracts';
import { CLOCK, uuid7, type Clock } from '#platform';
import type { PackageEntity } from './firmware.entity.ts';
import type { UploadQuery } from './firmware.schemas.ts';
import { customerOf } from './packages.service.ts';
import { CHUNK_BYTES, CHUNKS_TOGETHER, nameDigest, PackageStore } from './package-store.ts';

/** Injection symbol of the largest file that is taken, in bytes. */
export const FIRMWARE_MAX_BYTES = Symbol('FIRMWARE_MAX_BYTES');

/** How often it is said that a file still comes in, in ms. */
const RENEW_MS = 10_000;

/** A package, and whether it is there only now. */
export interface Uploaded {
  package: PackageEntity;
  isNew: boolean;
}

/** The size and the SHA-256 of a file. */
interface Measured {
  size: number;
  checksum: string;
}

/** Packages as their files come in: stored part by part, so that memory stays as it is whatever their size. */
@Injectable()
export class PackageUploads {
  constructor(
    @Inject(PackageStore) private readonly store: PackageStore,
    @Inject(FIRMWARE_MAX_BYTES) private readonly maxBytes: number,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /**
   * Stores a package; the same file again under the same name is the package that is there. What is refused or ends early leaves nothing
   * behind. Throws `FIRMWARE_EXISTS`, `CHECKSUM_MISMATCH`, `BODY_TOO_LARGE`, `INVALID_INPUT` for an empty file, `UPLOAD_CUT_OFF`.
   */
  async receive(caller: UserPrincipal, query: UploadQuery, file: AsyncIterable<Buffer>): Promise<Uploaded> {
    const { kind, title, version } = query;
    const name = { customerId: customerOf(caller), kind, title, version };
    const before = await this.store.named(nameDigest(name));
    if (before) {
      return this.same(before, await this.measured(file, query, () => Promise.resolve()));
    }
    const id = uuid7(this.now());
    const fileName = fileNameOf(title, version);
    await this.store.open({ id, ...name, fileName, createdBy: caller.userId });
    try {
      return await this.stored(id, nameDigest(name), query, file);
    } catch (error) {
      await this.store.giveUp(id).catch(() => undefined);
      throw error;
    }
  }

  private async stored(id: string, digest: string, query: UploadQuery, file: AsyncIterable<Buffer>): Promise<Uploaded> {
    let chunks = 0;
    let renewedAt = this.now();
    const measured = await this.measured(file, query, async (parts) => {
      await this.store.addChunks(id, chunks, parts);
      chunks += parts.length;
      if (this.now() - renewedAt < RENEW_MS) return;
      renewedAt = this.now();
      await this.store.renew(id);
    });
    if (await this.store.complete(id, digest, measured.size, measured.checksum)) {
      const stored = await this.store.find(id);
      if (stored) return { package: stored, isNew: true };
      throw new CodedError('CONFLICT', 'The package was deleted while it came in.');
    }
    await this.store.giveUp(id);
    const winner = await this.store.named(digest);
    if (!winner) throw new CodedError('CONFLICT', 'Another upload under this name came in between: send it again.');
    return this.same(winner, measured);
  }

  /** Gives the file to `keep` in parts as they are stored, and measures it. */
  private async measured(
    file: AsyncIterable<Buffer>,
    { sha256 }: UploadQuery,
    keep: (parts: Buffer[]) => Promise<void>,
  ): Promise<Measured> {
    const hash = createHash('sha256');
    let size = 0;
    for await (const parts of inParts(file)) {
      for (const part of parts) {
        hash.update(part);
        size += part.length;
      }
      if (size > this.maxBytes) throw this.tooLarge();
      await keep(parts);
    }
    if (size === 0) throw new CodedError('INVALID_INPUT', 'The file is empty: send it as the body of the request.');
    const checksum = hash.digest('hex');
    if (sha256 !== undefined && sha256 !== checksum) {
      throw new CodedError(
        'CHECKSUM_MISMATCH',
        `The SHA-256 of what came in is ${checksum}, not ${sha256}: send the file again.`,
      );
    }
    return { size, checksum };
  }

  private same(before: PackageEntity, { checksum }: Measured): Uploaded {
    if (before.checksum === checksum) return { package: before, isNew: false };
    const { title, version, kind } = before;
    throw new CodedError(
      'FIRMWARE_EXISTS',
      `There is ${kind} ${JSON.stringify(title)} ${JSON.stringify(version)} with another file: choose another version, or delete that one first.`,
    );
  }

  /** Throws `BODY_TOO_LARGE` for a body that says of itself that it is larger than files may be. */
  checkLength(contentLength: string | undefined): void {
    if (Number(contentLength ?? 0) > this.maxBytes) throw this.tooLarge();
  }

  private tooLarge(): CodedError {
    return new CodedError('BODY_TOO_LARGE', `A package may have at most ${String(this.maxBytes)} bytes.`);
  }
}

/** A file in parts of {@link CHUNK_BYTES}, the last one shorter, some at a time. */
async function* inParts(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  const gathered = Buffer.allocUnsafe(CHUNK_BYTES * CHUNKS_TOGETHER);
  let filled = 0;
  for await (const piece of file) {
    for (let taken = 0; taken < piece.length;) {
      const copied = piece.copy(gathered, filled, taken);
      filled += copied;
      taken += copied;
      if (filled < gathered.length) continue;
      yield partsOf(gathered);
      filled = 0;
    }
  }
  if (filled > 0) yield partsOf(gathered.subarray(0, filled));
}

const partsOf = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );

/** A name that any file system and header takes. */
const fileNameOf = (title: string, version: string): string =>
  `${title}-${version}`.replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(0, 200) + '.bin';
