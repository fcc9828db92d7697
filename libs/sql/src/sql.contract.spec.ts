import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  Column,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  Table,
  TableForeignKey,
  TableIndex,
  type DataSource,
  type MigrationInterface,
  type QueryRunner,
} from 'typeorm';
import { describeWith, freshMysqlDatabase, tempDir } from '#testing';
import { column, tableColumn } from './columns.ts';
import { dataSourceFor, type Schema } from './data-source.ts';
import { isForeignKeyViolation, isUniqueViolation } from './errors.ts';
import { migrate } from './migrate.ts';
import { inTransaction, rowLock } from './transaction.ts';

@Entity('shelves')
@Index('uq_shelves_label', ['label'], { unique: true })
class Shelf {
  @Column(column.integer({ primary: true }))
  id: number;

  @Column(column.text(40))
  label: string;

  @Column(column.integer({ default: 0 }))
  books: number;

  @Column(column.boolean({ default: false }))
  open: boolean;

  @Column(column.time({ name: 'built_at', nullable: true }))
  builtAt: Date | null;

  @Column(column.json({ nullable: true }))
  notes: { deep: (number | string | boolean | null)[] } | null;

  @Column(column.document({ nullable: true }))
  motto: NonNullable<unknown> | null;

  @Column(column.blob({ nullable: true }))
  photo: Buffer | null;
}

@Entity('books')
class Book {
  @Column(column.uuid({ primary: true }))
  id: string;

  @Column(column.integer({ name: 'shelf_id' }))
  shelfId: number;

  @ManyToOne(() => Shelf, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'shelf_id', foreignKeyConstraintName: 'fk_books_shelf' })
  shelf?: Shelf;
}

class Shelves1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'shelves',
        columns: [
          tableColumn.integer('id', { isPrimary: true }),
          tableColumn.text('label', 40),
          tableColumn.integer('books', { default: '0' }),
          tableColumn.boolean('open'),
          tableColumn.time('built_at', { isNullable: true }),
          tableColumn.json('notes', { isNullable: true }),
          tableColumn.document('motto', { isNullable: true }),
          tableColumn.blob('photo', { isNullable: true }),
        ],
        indices: [new TableIndex({ name: 'uq_shelves_label', columnNames: ['label'], isUnique: true })],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('shelves');
  }
}

class Books1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'books',
        columns: [tableColumn.uuid('id', { isPrimary: true }), tableColumn.integer('shelf_id')],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_books_shelf',
            columnNames: ['shelf_id'],
            referencedTableName: 'shelves',
            referencedColumnNames: ['id'],
            onDelete: 'RESTRICT',
          }),
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('books');
  }
}

class Failing1700000000002 implements MigrationInterface {
  up(): Promise<void> {
    return Promise.reject(new Error('this migration fails'));
  }

  down(): Promise<void> {
    return Promise.resolve();
  }
}

const SCHEMA: Schema = { entities: [Shelf, Book], migrations: [Shelves1700000000000, Books1700000000001] };
const shelf = (id: number, more: Partial<Shelf> = {}): Shelf => ({
  id,
  label: `shelf ${String(id)}`,
  books: 0,
  open: false,
  builtAt: null,
  notes: null,
  motto: null,
  photo: null,
  ...more,
});

function sqlSuite(newDatabaseUrl: () => Promise<string>): void {
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await dataSourceFor(await newDatabaseUrl(), 'test', SCHEMA).initialize();
    await migrate(dataSource);
  });
  afterAll(() => dataSource.destroy());
  beforeEach(async () => {
    await dataSource.getRepository(Book).deleteAll();
    await dataSource.getRepository(Shelf).deleteAll();
  });

  const shelves = () => dataSource.getRepository(Shelf);
  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  test('makes exactly what the entities say', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  test('gives back what was stored: times to the millisecond, booleans, JSON, any characters', async () => {
    const stored = shelf(1, {
      label: `';-- "é" 🐛 \\ %`,
      open: true,
      builtAt: new Date('2026-03-29T01:30:00.123Z'),
      notes: { deep: [1, 2.5, 'ü', null, true] },
    });
    await shelves().insert(stored);
    expect({ ...(await shelves().findOneByOrFail({ id: 1 })) }).toEqual(stored);
    expect(await shelves().countBy({ builtAt: new Date('2026-03-29T01:30:00.123Z'), open: true })).toBe(1);
  });

  test.each(['text', '"', '', 0, false, 12.5, [null], { b: 1, a: { z: [], y: 'ü' } }, '{"a":1}'])(
    'gives back %j alone exactly, with its fields in their order',
    async (motto) => {
      await dataSource.manager.insert(Shelf, shelf(30, { motto }));
      const found = await dataSource.manager.findOneByOrFail(Shelf, { id: 30 });
      expect(JSON.stringify(found.motto)).toBe(JSON.stringify(motto));
      await dataSource.manager.delete(Shelf, { id: 30 });
    },
  );

  test('gives back bytes as they are', async () => {
    const photo = Buffer.from(Array.from({ length: 65_535 }, (_, index) => index % 256));
    await dataSource.manager.insert(Shelf, shelf(31, { photo }));
    const found = await dataSource.manager.findOneByOrFail(Shelf, { id: 31 });
    expect(Buffer.isBuffer(found.photo)).toBe(true);
    expect(found.photo?.equals(photo)).toBe(true);
    await dataSource.manager.delete(Shelf, { id: 31 });
  });

  test('tells apart letters by case and accent', async () => {
    await shelves().insert([shelf(1, { label: 'a' }), shelf(2, { label: 'A' }), shelf(3, { label: 'á' })]);
    expect((await shelves().find({ order: { label: 'ASC' } })).map(({ label }) => label)).toEqual(['A', 'a', 'á']);
  });

  test('names a unique violation, by the index and by the columns', async () => {
    await shelves().insert(shelf(1));
    const error = await failure(shelves().insert(shelf(2, { label: 'shelf 1' })));
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, 'uq_shelves_label', 'shelves.label')).toBe(true);
    expect(isUniqueViolation(error, 'uq_others', 'others.label')).toBe(false);
    expect(isUniqueViolation(await failure(shelves().insert(shelf(1, { label: 'other' }))))).toBe(true);
    expect(isUniqueViolation(new Error('ER_DUP_ENTRY'))).toBe(false);
  });

  test('names a foreign key violation, of the child and of the parent', async () => {
    const books = dataSource.getRepository(Book);
    expect(isForeignKeyViolation(await failure(books.insert({ id: 'lost', shelfId: 9 })))).toBe(true);
    await shelves().insert(shelf(1));
    await books.insert({ id: 'kept', shelfId: 1 });
    expect(isForeignKeyViolation(await failure(shelves().delete({ id: 1 })))).toBe(true);
  });

  test('keeps what others committed when a transaction beside theirs is rolled back', async () => {
    let fail: (error: Error) => void = () => undefined;
    const outside = new Promise<never>((_resolve, reject) => (fail = reject));
    const rolledBack = failure(
      inTransaction(dataSource, async (manager) => {
        await manager.insert(Shelf, shelf(1));
        await outside;
      }),
    );
    const committed = inTransaction(dataSource, (manager) => manager.insert(Shelf, shelf(2)));
    const alone = shelves().insert(shelf(3));
    setImmediate(() => {
      fail(new Error('on purpose'));
    });
    await Promise.all([rolledBack, committed, alone]);
    expect((await shelves().find({ order: { id: 'ASC' } })).map(({ id }) => id)).toEqual([2, 3]);
  });

  test('rolls back a transaction within another one alone', async () => {
    await inTransaction(dataSource, async (manager) => {
      await manager.insert(Shelf, shelf(1));
      await failure(
        manager.transaction(async (inner) => {
          await inner.insert(Shelf, shelf(2));
          throw new Error('on purpose');
        }),
      );
    });
    expect((await shelves().find()).map(({ id }) => id)).toEqual([1]);
  });

  test('loses none of fifty changes that read a row, lock it and write it', async () => {
    await shelves().insert(shelf(1));
    const addBook = () =>
      inTransaction(dataSource, async (manager) => {
        const { books } = await manager.findOneOrFail(Shelf, { where: { id: 1 }, lock: rowLock(manager) });
        await manager.update(Shelf, { id: 1 }, { books: books + 1 });
      });
    await Promise.all(Array.from({ length: 50 }, addBook));
    expect(await shelves().findOneByOrFail({ id: 1 })).toMatchObject({ books: 50 });
  });

  test('carries out both of two transactions that lock the same rows in opposite order', async () => {
    await shelves().insert([shelf(1), shelf(2)]);
    const addBooks = (ids: readonly number[]) =>
      inTransaction(dataSource, async (manager) => {
        for (const id of ids) await manager.increment(Shelf, { id }, 'books', 1);
      });
    await Promise.all(Array.from({ length: 20 }, (_, index) => addBooks(index % 2 === 0 ? [1, 2] : [2, 1])));
    expect((await shelves().find()).map(({ books }) => books)).toEqual([20, 20]);
  });

  test('runs no migration twice', async () => {
    expect(await migrate(dataSource)).toEqual([]);
  });
}

describe('SQL on SQLite', () => {
  sqlSuite(async () => `file:${(await tempDir()).path}/new folder/test.db`);

  test('a transaction that waits for a query outside it is told so, and the next one goes on', async () => {
    const dataSource = await dataSourceFor('file::memory:', 'test', SCHEMA).initialize();
    await migrate(dataSource);
    const stuck = inTransaction(dataSource, () => dataSource.getRepository(Shelf).count());
    await expect(stuck).rejects.toThrow('is a query running outside its own transaction?');
    expect(await dataSource.getRepository(Shelf).count()).toBe(0);
    await dataSource.destroy();
  });
});

describeWith(['mysql'], 'SQL on MySQL', () => {
  sqlSuite(async () => (await freshMysqlDatabase()).url);

  const replicasOf = (url: string, count: number, schema = SCHEMA) =>
    Promise.all(Array.from({ length: count }, () => dataSourceFor(url, 'test', schema).initialize()));
  const closeAll = (replicas: DataSource[]) => Promise.all(replicas.map((replica) => replica.destroy()));

  test('one of five replicas that start at once migrates, the others find it done', async () => {
    const replicas = await replicasOf((await freshMysqlDatabase()).url, 5);
    const ran = await Promise.all(replicas.map((replica) => migrate(replica)));
    expect(ran.map(({ length }) => length).sort()).toEqual([0, 0, 0, 0, 2]);
    await closeAll(replicas);
  });

  test('a held lock is waited for so long, named, and free again afterwards', async () => {
    const { url, name } = await freshMysqlDatabase();
    const replicas = await replicasOf(url, 2);
    const [holding, waiting] = replicas;
    const holder = holding?.createQueryRunner();
    await holder?.query('SELECT GET_LOCK(?, 1)', [`migrate:${name}`]);
    await expect(waiting && migrate(waiting, 1)).rejects.toThrow(`the migration lock migrate:${name} was not free`);
    await holder?.query('DO RELEASE_LOCK(?)', [`migrate:${name}`]);
    expect(await (waiting && migrate(waiting, 1))).toHaveLength(2);
    await holder?.release();
    await closeAll(replicas);
  });

  test('a failing migration leaves the lock free', async () => {
    const { url, name } = await freshMysqlDatabase();
    const failing = { ...SCHEMA, migrations: [...SCHEMA.migrations, Failing1700000000002] };
    const [replica] = await replicasOf(url, 1, failing);
    await expect(replica && migrate(replica)).rejects.toThrow('this migration fails');
    expect(await replica?.query('SELECT IS_FREE_LOCK(?) AS free', [`migrate:${name}`])).toEqual([{ free: 1 }]);
    await replica?.destroy();
  });
});

test('a URL of another database is refused', () => {
  expect(() => dataSourceFor('postgres://localhost/x', 'test', SCHEMA)).toThrow('mysql:// or file:');
});
