import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

/** What happens to a row whose primary key is there already: nothing, or it takes these columns over, named as in the database. */
export type OnDuplicate = 'ignore' | { update: readonly string[]; key: string };

/** Inserts whole rows with one statement, as TypeORM's own builder would, in a fraction of its time. */
export async function insertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<T>,
  rows: readonly T[],
  onDuplicate?: OnDuplicate,
): Promise<void> {
  if (rows.length === 0) return;
  const { connection } = manager;
  const { tableName, columns } = connection.getMetadata(entity);
  const values = rows.flatMap((row) =>
    columns.map((column) => {
      const value: unknown = connection.driver.preparePersistentValue(column.getEntityValue(row), column);
      return value ?? null;
    }),
  );
  const isMysql = connection.options.type === 'mysql';
  const row = `(${columns.map(() => '?').join(', ')})`;
  const names = columns.map(({ databaseName }) => databaseName).join(', ');
  await manager.query(
    `${verb(isMysql, onDuplicate)} INTO ${tableName} (${names}) VALUES ${rows.map(() => row).join(', ')}${update(isMysql, onDuplicate)}`,
    values,
  );
}

function verb(isMysql: boolean, onDuplicate: OnDuplicate | undefined): string {
  if (onDuplicate !== 'ignore') return 'INSERT';
  return isMysql ? 'INSERT IGNORE' : 'INSERT OR IGNORE';
}

function update(isMysql: boolean, onDuplicate: OnDuplicate | undefined): string {
  if (onDuplicate === undefined || onDuplicate === 'ignore') return '';
  const { key, update: columns } = onDuplicate;
  return isMysql
    ? ` ON DUPLICATE KEY UPDATE ${columns.map((name) => `${name} = VALUES(${name})`).join(', ')}`
    : ` ON CONFLICT (${key}) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`;
}
