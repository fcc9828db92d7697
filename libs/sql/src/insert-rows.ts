import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

/** Values of one statement at most; SQLite takes 32,766 (SQLITE_MAX_VARIABLE_NUMBER). */
const MAX_VALUES = 8_192;

/** What happens to a row whose primary key is there already: nothing, or it takes these columns over, named as in the database. */
export type OnDuplicate = 'ignore' | { update: readonly string[]; key: string };

/**
 * Inserts whole entities by statements of many rows, without the work that TypeORM's own `insert` has with each of them. Every
 * column gets the property's value as the driver stores it.
 */
export async function insertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<T>,
  rows: readonly T[],
  onDuplicate?: OnDuplicate,
): Promise<void> {
  const { connection } = manager;
  const { columns, tableName } = connection.getMetadata(entity);
  const isMysql = connection.options.type === 'mysql';
  const names = columns.map(({ databaseName }) => databaseName).join(', ');
  const marks = `(${columns.map(() => '?').join(', ')})`;
  const most = Math.floor(MAX_VALUES / columns.length);
  let from = 0;
  while (from < rows.length) {
    const size = statementRows(Math.min(most, rows.length - from));
    const values: unknown[] = [];
    for (const row of rows.slice(from, from + size)) {
      for (const column of columns) {
        const value: unknown = connection.driver.preparePersistentValue(row[column.propertyName], column);
        values.push(value ?? null);
      }
    }
    const places = Array.from({ length: size }, () => marks).join(', ');
    await manager.query(
      `${verb(isMysql, onDuplicate)} INTO ${tableName} (${names}) VALUES ${places}${update(isMysql, onDuplicate)}`,
      values,
    );
    from += size;
  }
}

/** A power of two, at most so many: statements of few sizes stay prepared. */
const statementRows = (most: number): number => 2 ** Math.floor(Math.log2(most));

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
