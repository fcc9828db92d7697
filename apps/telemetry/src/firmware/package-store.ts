import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { LRUCache } from 'lru-cache';
import { Between, DataSource, LessThan, Not, type EntityManager } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, isForeignKeyViolation, isUniqueViolation, keysetPage, rowLock, sharedLock } from '#sql';
import { TELEMETRY } from '../data-source-name.ts';
import {
  DeviceFirmwareEntity,
  PackageChunkEntity,
  PackageEntity,
  RolloutEntity,
  type PackageKind,
} from './firmware.entity.ts';

/** Bytes of a stored part of a file. */
export const CHUNK_BYTES = 32_768;
/** Parts that are read or written together. */
export const CHUNKS_TOGETHER = 8;
/** Parts that stay in memory: many devices load the same package at once. */
const CACHED_CHUNKS = 64;
/** Parts that are deleted together. */
const CHUNKS_DELETED = 256;
/** How long whoever receives a file is believed to live after their last word, in ms. */
export const RECEIVING_MS = 60_000;

const NEWEST_FIRST = { sort: '-id', property: 'id', descending: true } as const;

/** Packages as they are kept. */
@Injectable()
export class PackageStore {
  private readonly cache = new LRUCache<string, Buffer>({ max: CACHED_CHUNKS });

  constructor(
    @InjectDataSource(TELEMETRY) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** A package whose file is here. */
  find(id: string): Promise<PackageEntity | null> {
    return this.manager.findOneBy(PackageEntity, { id, state: 'ready' });
  }

  /** The package of that name, if its file is here. */
  named(digest: string): Promise<PackageEntity | null> {
    return this.manager.findOneBy(PackageEntity, { nameDigest: digest, state: 'ready' });
  }

  /** Those that somebody may use, newest first. */
  page(
    { role, customerId }: Pick<UserPrincipal, 'role' | 'customerId'>,
    { kind, ...page }: { kind?: PackageKind | undefined; limit: number; cursor?: string | undefined },
  ): Promise<Page<PackageEntity>> {
    const query = this.dataSource.getRepository(PackageEntity).createQueryBuilder('package');
    query.where("package.state = 'ready'");
    if (kind) query.andWhere('package.kind = :kind', { kind });
    if (role !== 'admin') {
      query.andWhere('(package.customerId IS NULL OR package.customerId = :customerId)', { customerId });
    }
    return keysetPage(query, NEWEST_FIRST, page);
  }

  /** A package whose file begins to come in. */
  async open(made: Pick<PackageEntity, 'id' | 'kind' | 'title' | 'version' | 'fileName' | 'customerId' | 'createdBy'>) {
    const now = this.now();
    await this.manager.insert(PackageEntity, {
      ...made,
      size: 0,
      checksum: null,
      state: 'receiving',
      nameDigest: null,
      createdAt: new Date(now),
      leaseUntil: new Date(now + RECEIVING_MS),
    });
  }

  /** Whoever receives the file is alive. */
  async renew(id: string): Promise<void> {
    await this.manager.update(
      PackageEntity,
      { id, state: 'receiving' },
      { leaseUntil: new Date(this.now() + RECEIVING_MS) },
    );
  }

  /** Throws `CONFLICT` if the upload was given up meanwhile. */
  async addChunks(packageId: string, first: number, contents: readonly Buffer[]): Promise<void> {
    const rows = contents.map((content, index) => ({ packageId, number: first + index, content }));
    try {
      await this.manager.insert(PackageChunkEntity, rows);
    } catch (error) {
      throw isForeignKeyViolation(error) ? givenUp() : error;
    }
  }

  /** The file is here. False if there is a package of that name by now. Throws `CONFLICT` if the upload was given up meanwhile. */
  async complete(id: string, digest: string, size: number, checksum: string): Promise<boolean> {
    try {
      const { affected } = await this.manager.update(
        PackageEntity,
        { id, state: 'receiving' },
        { state: 'ready', nameDigest: digest, size, checksum, leaseUntil: null },
      );
      if (affected === 1) return true;
      throw givenUp();
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  /** Bytes of the file from `offset` on, fewer than `length` at its end. */
  async read(packageId: string, offset: number, length: number): Promise<Buffer> {
    if (length <= 0) return Buffer.alloc(0);
    const first = Math.floor(offset / CHUNK_BYTES);
    const last = Math.floor((offset + length - 1) / CHUNK_BYTES);
    const begin = offset - first * CHUNK_BYTES;
    const parts = await this.chunks(packageId, first, last);
    return Buffer.concat(parts).subarray(begin, begin + length);
  }

  /** A part of a file, some of it at a time. Throws if the package is deleted meanwhile. */
  async *stream(packageId: string, offset: number, length: number): AsyncGenerator<Buffer> {
    const end = offset + length;
    for (let position = offset; position < end;) {
      const upTo = Math.min(end, (Math.floor(position / CHUNK_BYTES) + CHUNKS_TOGETHER) * CHUNK_BYTES);
      const part = await this.read(packageId, position, upTo - position);
      if (part.length < upTo - position) throw new CodedError('NOT_FOUND', 'The package was deleted.');
      yield part;
      position = upTo;
    }
  }

  /** A package that stays as long as the transaction goes on. Null if it is not there. */
  held(manager: EntityManager, id: string): Promise<PackageEntity | null> {
    return manager.findOne(PackageEntity, { where: { id, state: 'ready' }, lock: sharedLock(manager) });
  }

  /** Deletes a package that nobody has and no rollout gives out. Throws `FIRMWARE_IN_USE`. */
  async remove(id: string): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      const found = await manager.findOne(PackageEntity, { where: { id, state: 'ready' }, lock: rowLock(manager) });
      if (!found) return;
      await refuseIfUsed(manager, id);
      await manager.update(PackageEntity, { id }, { state: 'deleting', nameDigest: null });
    });
    await this.erase(id);
  }

  /** Deletes what there is of a package that is not ready. */
  async erase(packageId: string): Promise<void> {
    for (;;) {
      const next = await this.manager.findOne(PackageChunkEntity, {
        select: { packageId: true, number: true },
        where: { packageId },
        order: { number: 'ASC' },
      });
      if (!next) break;
      await this.manager.delete(PackageChunkEntity, { packageId, number: LessThan(next.number + CHUNKS_DELETED) });
    }
    await this.manager.delete(PackageEntity, { id: packageId });
  }

  /** Gives up an upload: nobody completes it any more. */
  async giveUp(id: string): Promise<void> {
    const { affected } = await this.manager.update(PackageEntity, { id, state: 'receiving' }, { state: 'deleting' });
    if (affected === 1) await this.erase(id);
  }

  /** How many packages are coming in or being deleted. */
  unfinished(): Promise<number> {
    return this.manager.countBy(PackageEntity, { state: Not('ready') });
  }

  /** Erases what processes that died have left. */
  async sweep(): Promise<void> {
    const silent = { state: 'receiving', leaseUntil: LessThan(new Date(this.now())) } as const;
    for (const { id } of await this.manager.findBy(PackageEntity, silent)) await this.giveUp(id);
    for (const { id } of await this.manager.findBy(PackageEntity, { state: 'deleting' })) await this.erase(id);
  }

  private async chunks(packageId: string, first: number, last: number): Promise<Buffer[]> {
    const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const cached = numbers.map((number) => this.cache.get(`${packageId} ${String(number)}`));
    if (cached.every((part) => part !== undefined)) return cached;
    const rows = await this.manager.find(PackageChunkEntity, {
      where: { packageId, number: Between(first, last) },
      order: { number: 'ASC' },
    });
    for (const { number, content } of rows) this.cache.set(`${packageId} ${String(number)}`, content);
    return rows.map(({ content }) => content);
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

const givenUp = (): CodedError =>
  new CodedError('CONFLICT', 'The upload gave no sign of life for too long and was given up: send the file again.');

/** What stands for the name of a package: of a customer's operators, or of the administrators, there is one of each name. */
export const nameDigest = ({
  customerId,
  kind,
  title,
  version,
}: Pick<PackageEntity, 'customerId' | 'kind' | 'title' | 'version'>): string =>
  createHash('sha256')
    .update(JSON.stringify([customerId, kind, title, version]))
    .digest('hex');

async function refuseIfUsed(manager: EntityManager, packageId: string): Promise<void> {
  const rollout = await manager.findOneBy(RolloutEntity, [
    { packageId, state: 'running' },
    { packageId, state: 'done' },
  ]);
  if (rollout) {
    throw new CodedError('FIRMWARE_IN_USE', `Rollout ${rollout.id} gives the package out: cancel it first.`);
  }
  const device = await manager.findOneBy(DeviceFirmwareEntity, { packageId });
  if (device) {
    throw new CodedError(
      'FIRMWARE_IN_USE',
      `The package is assigned to device ${device.deviceId}: assign another one to its devices, or none, first.`,
    );
  }
}
