import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import type { UserPrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase } from '#testing';
import { TELEMETRY } from '../data-source-name.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { PackageChunkEntity } from './firmware.entity.ts';
import { CHUNK_BYTES, PackageStore, RECEIVING_MS } from './package-store.ts';
import { PackageUploads } from './package-uploads.ts';

const caller: UserPrincipal = { kind: 'user', userId: uuid7(), sessionId: uuid7(), role: 'admin', customerId: null };

function packagesSuite(databaseUrl: () => Promise<string>): void {
  let dataSource: DataSource;
  let now = Date.UTC(2026, 5, 1);
  let store: PackageStore;
  let uploads: PackageUploads;
  let versions = 0;

  beforeAll(async () => {
    dataSource = await dataSourceFor(await databaseUrl(), TELEMETRY, TELEMETRY_SCHEMA).initialize();
    await migrate(dataSource);
    store = new PackageStore(dataSource, () => now);
    uploads = new PackageUploads(store, 10_000_000, () => now);
  });
  afterAll(async () => {
    await dataSource.destroy();
  });

  async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
    for (let from = 0; from < bytes.length; from += size) {
      await Promise.resolve();
      yield bytes.subarray(from, from + size);
    }
  }
  const receive = (bytes: Buffer, size = 10_000, version = String((versions += 1))) =>
    uploads.receive(caller, { kind: 'firmware', title: 'Boiler', version, sha256: undefined }, pieces(bytes, size));
  const streamed = async (id: string, offset: number, length: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for await (const part of store.stream(id, offset, length)) parts.push(part);
    return Buffer.concat(parts);
  };
  const chunks = (packageId: string) => dataSource.manager.countBy(PackageChunkEntity, { packageId });

  test.each([
    [1, 1],
    [CHUNK_BYTES, 1_000],
    [CHUNK_BYTES + 1, 100_000],
    [CHUNK_BYTES * 8, CHUNK_BYTES * 8],
    [CHUNK_BYTES * 20 + 777, 65_536],
    [CHUNK_BYTES * 16, 999],
  ])(
    'keeps a file of %i bytes that comes in pieces of %i exactly, in as many parts as it needs',
    async (size, piece) => {
      const bytes = randomBytes(size);
      const { package: kept } = await receive(bytes, piece);
      expect(kept).toMatchObject({ size, state: 'ready' });
      expect((await streamed(kept.id, 0, size)).equals(bytes)).toBe(true);
      expect(await chunks(kept.id)).toBe(Math.ceil(size / CHUNK_BYTES));
    },
  );

  test('gives any part of a file, less at its end and nothing past it', async () => {
    const bytes = randomBytes(CHUNK_BYTES * 10 + 100);
    const { id } = (await receive(bytes)).package;
    for (const [offset, length] of [
      [0, 1],
      [CHUNK_BYTES - 1, 2],
      [5, CHUNK_BYTES * 9],
      [CHUNK_BYTES * 10, 5_000],
      [bytes.length - 1, 10],
    ] as const) {
      expect((await store.read(id, offset, length)).equals(bytes.subarray(offset, offset + length))).toBe(true);
    }
    expect(await store.read(id, bytes.length, 10)).toHaveLength(0);
    expect(await store.read(id, CHUNK_BYTES * 50, 10)).toHaveLength(0);
    expect(await store.read(id, 0, 0)).toHaveLength(0);
    expect((await streamed(id, 12_345, CHUNK_BYTES * 9)).equals(bytes.subarray(12_345, 12_345 + CHUNK_BYTES * 9))).toBe(
      true,
    );
  });

  test('keeps nothing of an upload whose process has died, once it was silent for a while', async () => {
    const bytes = randomBytes(CHUNK_BYTES * 9);
    let dead: (() => void) | undefined;
    const dying = async function* () {
      yield bytes;
      await new Promise<void>((resolve) => (dead = resolve));
      yield bytes;
    };
    const query = { kind: 'firmware', title: 'Dead', version: '1', sha256: undefined } as const;
    const upload = uploads.receive(caller, query, dying());
    const refused = expect(upload).rejects.toMatchObject({ code: 'CONFLICT' });
    while ((await dataSource.manager.count(PackageChunkEntity)) === 0 || !dead) await new Promise(setImmediate);
    await store.sweep();
    expect(await store.unfinished()).toBe(1);
    now += RECEIVING_MS + 1;
    await store.sweep();
    expect(await store.unfinished()).toBe(0);
    dead();
    await refused;
    expect(await store.unfinished()).toBe(0);
  });

  test('deletes a file with all its parts', async () => {
    const { id } = (await receive(randomBytes(CHUNK_BYTES * 300))).package;
    await store.remove(id);
    expect(await store.find(id)).toBeNull();
    expect(await chunks(id)).toBe(0);
    await expect(streamed(id, CHUNK_BYTES * 100, 10)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('shows operators what is for all and what is theirs, in pages', async () => {
    const customerId = uuid7();
    const operator = { ...caller, role: 'operator', customerId } as const;
    const query = { kind: 'software', title: 'App', version: '1', sha256: undefined } as const;
    const upload = (who: UserPrincipal) => uploads.receive(who, query, pieces(randomBytes(10), 10));
    const [forAll, own] = [await upload(caller), await upload(operator)];
    const others = await upload({ ...operator, customerId: uuid7() });
    const page = await store.page(operator, { kind: 'software', limit: 1 });
    expect(page.items.map(({ id }) => id)).toEqual([own.package.id]);
    const next = await store.page(operator, { kind: 'software', limit: 1, cursor: page.nextCursor ?? '' });
    expect(next).toMatchObject({ items: [{ id: forAll.package.id }], nextCursor: null });
    const all = await store.page(caller, { kind: 'software', limit: 10 });
    expect(all.items.map(({ id }) => id)).toContain(others.package.id);
  });
}

describe('packages on SQLite', () => {
  packagesSuite(() => Promise.resolve('file::memory:'));
});

describeWith(['mysql'], 'packages on MySQL', () => {
  packagesSuite(async () => (await freshMysqlDatabase()).url);
});
