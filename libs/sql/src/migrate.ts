import type { DataSource, Migration } from 'typeorm';

/** MySQL's longest name of a lock, in characters. */
const LOCK_NAME_CHARS = 64;

/**
 * Runs the migrations that are missing and returns them. On MySQL under a named lock of the server, so that of several
 * replicas that start at once one migrates and the others find it done; the lock goes with its connection.
 */
export async function migrate(dataSource: DataSource, waitSeconds = 60): Promise<Migration[]> {
  if (dataSource.options.type !== 'mysql') return dataSource.runMigrations({ transaction: 'each' });
  const name = `migrate:${String(dataSource.options.database)}`.slice(0, LOCK_NAME_CHARS);
  const holder = dataSource.createQueryRunner();
  try {
    const [row] = (await holder.query('SELECT GET_LOCK(?, ?) AS got', [name, waitSeconds])) as {
      got: number | string | null;
    }[];
    if (Number(row?.got) !== 1)
      throw new Error(`the migration lock ${name} was not free within ${String(waitSeconds)} s`);
    try {
      return await dataSource.runMigrations({ transaction: 'each' });
    } finally {
      await holder.query('DO RELEASE_LOCK(?)', [name]);
    }
  } finally {
    await holder.release();
  }
}
