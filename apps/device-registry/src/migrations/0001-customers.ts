import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Customers1767225600001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'customers',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.text('number', 64),
          tableColumn.text('name', 128),
          tableColumn.text('sort_name', 256),
          tableColumn.integer('device_limit', { isNullable: true }),
          tableColumn.integer('device_count', { default: '0' }),
          tableColumn.integer('version', { default: '1' }),
          tableColumn.time('created_at'),
          tableColumn.time('updated_at'),
        ],
        indices: [
          new TableIndex({ name: 'uq_customers_number', columnNames: ['number'], isUnique: true }),
          new TableIndex({ name: 'ix_customers_sort_name', columnNames: ['sort_name', 'id'] }),
        ],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('customers');
  }
}
