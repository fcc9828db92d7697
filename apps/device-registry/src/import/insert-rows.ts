import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

/** Values of one statement at most: SQLite takes 32,766 (SQLITE_MAX_VARIABLE_NUMBER). */
const MAX_VALUES = 30_000;

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
  const rowsAtOnce = Math.floor(MAX_VALUES / columns.length);
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    const part = rows.slice(from, from + rowsAtOnce);
    const values = part.flatMap((row) =>
      columns.map((column): unknown => connection.driver.preparePersistentValue(column.getEntityValue(row), column)),
    );
    await manager.query(`INSERT INTO ${tableName} (${names}) VALUES ${part.map(() => marks).join(', ')}`, values);
  }
}
