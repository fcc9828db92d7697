import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

/** Values of one statement at most; SQLite takes 32,766 (SQLITE_MAX_VARIABLE_NUMBER). */
const MAX_VALUES = 8_192;

/**
 * Inserts whole entities by statements of many rows, without the work that TypeORM's own `insert` has with each of them. Every
 * column gets the property's value as the driver stores it.
 */
export async function insertRows<T extends ObjectLiteral>(
  manager: EntityManager,
  entity: EntityTarget<T>,
  rows: readonly T[],
): Promise<void> {
  const { connection } = manager;
  const { columns, tableName } = connection.getMetadata(entity);
  const names = columns.map(({ databaseName }) => databaseName).join(', ');
  const marks = `(${columns.map(() => '?').join(', ')})`;
  const most = Math.floor(MAX_VALUES / columns.length);
  let from = 0;
  while (from < rows.length) {
    const size = statementRows(Math.min(most, rows.length - from));
    const values: unknown[] = [];
    for (const row of rows.slice(from, from + size)) {
      for (const column of columns) {
        values.push(connection.driver.preparePersistentValue(row[column.propertyName], column));
      }
    }
    const places = Array.from({ length: size }, () => marks).join(', ');
    await manager.query(`INSERT INTO ${tableName} (${names}) VALUES ${places}`, values);
    from += size;
  }
}

/** A power of two, at most so many: statements of few sizes stay prepared. */
const statementRows = (most: number): number => 2 ** Math.floor(Math.log2(most));
