import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

/** Tables that are all key: in SQLite their rows are kept in the key's own order, instead of beside it. */
const TABLES = [
  { name: 'device_labels', word: tableColumn.text('label', 64, { isPrimary: true }) },
  { name: 'device_terms', word: tableColumn.text('term', 256, { isPrimary: true }) },
];

/** MySQL keeps every table so. */
export class TermsByKey1767225600015 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await remade(runner, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    await remade(runner, false);
  }
}

async function remade(runner: QueryRunner, withoutRowid: boolean): Promise<void> {
  if (runner.connection.options.type === 'mysql') return;
  for (const { name, word } of TABLES) {
    const index = new TableIndex({ name: `ix_${name}_${word.name}`, columnNames: [word.name, 'device_id'] });
    await runner.query(`DROP INDEX "${index.name ?? ''}"`);
    await runner.query(`ALTER TABLE "${name}" RENAME TO "${name}_before"`);
    await runner.createTable(
      new Table({
        name,
        withoutRowid,
        columns: [tableColumn.uuid('device_id', { isPrimary: true }), word],
        indices: [index],
        foreignKeys: [
          new TableForeignKey({
            name: `fk_${name}_device`,
            columnNames: ['device_id'],
            referencedTableName: 'devices',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          }),
        ],
      }),
    );
    const columns = `device_id, ${word.name}`;
    await runner.query(
      `INSERT INTO "${name}" (${columns}) SELECT ${columns} FROM "${name}_before" ORDER BY ${columns}`,
    );
    await runner.query(`DROP TABLE "${name}_before"`);
  }
}
