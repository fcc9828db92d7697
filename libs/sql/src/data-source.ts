import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DataSource, type EntityTarget, type MigrationInterface, type ObjectLiteral } from 'typeorm';
import { LibsqlDriver } from './libsql-driver.ts';
import { serializeTransactions } from './serial-transactions.ts';

export interface Schema {
  entities: EntityTarget<ObjectLiteral>[];
  migrations: (new () => MigrationInterface)[];
}

/** `mysql://user:password@host:port/database`, or `file:path` for SQLite (`file::memory:` for one that is not kept). */
export type DatabaseUrl = string;

/** Connections of one replica to MySQL. */
const POOL_SIZE = 10;
/** Pages of a SQLite database that stay in memory, in KiB: writes go to as many indexes as the largest table has. */
const SQLITE_CACHE_KIB = 16_384;
/** Pages of 4 KiB that are written ahead before they are put in their place: one large transaction is not to be written twice. */
const SQLITE_CHECKPOINT_PAGES = 8_192;

/** A data source, not yet initialised, for the database that the URL names. Throws if it names none that we know. */
export function dataSourceFor(url: DatabaseUrl, name: string, { entities, migrations }: Schema): DataSource {
  const common = { name, entities: entities as never, migrations, synchronize: false, migrationsRun: false };
  if (url.startsWith('mysql://')) {
    const { hostname, port, username, password, pathname } = new URL(url);
    return new DataSource({
      ...common,
      type: 'mysql',
      host: hostname,
      port: port === '' ? 3306 : Number(port),
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.slice(1)),
      timezone: 'Z',
      charset: 'utf8mb4',
      poolSize: POOL_SIZE,
      connectTimeout: 5_000,
      bigNumberStrings: false,
      supportBigNumbers: true,
    });
  }
  if (url.startsWith('file:')) return sqliteDataSource(url.slice('file:'.length), common);
  throw new Error('a database URL begins with mysql:// or file:');
}

function sqliteDataSource(path: string, common: object): DataSource {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const dataSource = new DataSource({
    ...common,
    type: 'better-sqlite3',
    driver: LibsqlDriver,
    database: path,
    enableWAL: path !== ':memory:',
    prepareDatabase: (database: { pragma(text: string): unknown }) => {
      database.pragma('synchronous = FULL');
      database.pragma(`cache_size = -${String(SQLITE_CACHE_KIB)}`);
      database.pragma(`wal_autocheckpoint = ${String(SQLITE_CHECKPOINT_PAGES)}`);
      database.pragma('foreign_keys = ON');
    },
  });
  serializeTransactions(dataSource);
  return dataSource;
}
