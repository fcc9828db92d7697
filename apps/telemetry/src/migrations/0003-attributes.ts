import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Attributes1767225600203 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'twins',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.integer('version', { default: '0' }),
          tableColumn.integer('delivered_version', { default: '0' }),
          tableColumn.integer('keys_count', { default: '0' }),
          tableColumn.integer('bytes', { default: '0' }),
        ],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'attributes',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.text('scope', 8, { isPrimary: true }),
          tableColumn.text('attribute_key', 255, { isPrimary: true }),
          tableColumn.document('value', { isNullable: true }),
          tableColumn.integer('version'),
          tableColumn.time('updated_at'),
          tableColumn.uuid('updated_by', { isNullable: true }),
        ],
        indices: [new TableIndex({ name: 'ix_attributes_version', columnNames: ['device_id', 'scope', 'version'] })],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['attributes', 'twins']) await runner.dropTable(table);
  }
}
