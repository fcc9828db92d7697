import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const TABLES = ['device_profiles', 'asset_profiles'];

export class Profiles1767225600006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const name of TABLES) {
      await runner.createTable(
        new Table({
          name,
          columns: [
            tableColumn.uuid('id', { isPrimary: true }),
            tableColumn.text('name', 128),
            tableColumn.text('sort_name', 256),
            tableColumn.text('description', 1_024, { isNullable: true }),
            tableColumn.json('attributes'),
            tableColumn.integer('version', { default: '1' }),
            tableColumn.time('created_at'),
            tableColumn.time('updated_at'),
          ],
          indices: [new TableIndex({ name: `uq_${name}_sort_name`, columnNames: ['sort_name'], isUnique: true })],
        }),
        true,
      );
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of TABLES) await runner.dropTable(name);
  }
}
