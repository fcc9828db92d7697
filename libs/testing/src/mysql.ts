import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { startOwn, type OwnServer, type OwnServerOptions } from './own-server.ts';
import { endWithTheTests } from './running.ts';

/** A database of the test's own. */
export interface FreshDatabase {
  /** With the database's name as its path. */
  url: string;
  name: string;
  /** Drops it. */
  stop(): Promise<void>;
}

/** The MySQL that all tests of a run share, if there is one. */
export function mysqlUrl(): string | undefined {
  return process.env['MYSQL_URL'] || undefined;
}

async function execute(url: string, sql: string): Promise<void> {
  const connection = await createConnection(url);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

/**
 * A new empty database (utf8mb4, utf8mb4_0900_bin).
 * @param server URL of a MySQL whose user may create databases; default: the shared one.
 */
export async function freshMysqlDatabase(server = mysqlUrl()): Promise<FreshDatabase> {
  if (server === undefined) throw new Error("no MySQL: wrap the suite in describeWith(['mysql'], ...)");
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await execute(server, `create database ${name} character set utf8mb4 collate utf8mb4_0900_bin`);
  const stop = endWithTheTests(() => execute(server, `drop database if exists ${name}`));
  return { url: url.href, name, stop };
}

/** A MySQL of the test's own, root without a password; about 1 s. */
export function startMysql(options?: OwnServerOptions): Promise<OwnServer> {
  return startOwn(
    {
      server: 'mysql',
      url: (port) => `mysql://root@127.0.0.1:${port}`,
      args: (dataDir, port) => [dataDir, String(port)],
      isReady: async (url) => {
        await execute(url, 'select 1');
        return true;
      },
    },
    options,
  );
}
