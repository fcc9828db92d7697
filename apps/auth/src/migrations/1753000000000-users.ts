import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Users1753000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'users',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.text('name', 200),
          tableColumn.text('email', 254),
          tableColumn.text('search_text', 700),
          tableColumn.text('password_hash', 255),
          tableColumn.time('password_changed_at'),
          tableColumn.text('role', 16),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.boolean('disabled'),
          tableColumn.time('tokens_valid_after'),
          tableColumn.integer('version', { default: '1' }),
          tableColumn.time('created_at'),
          tableColumn.time('updated_at'),
        ],
        indices: [
          new TableIndex({ name: 'uq_users_email', columnNames: ['email'], isUnique: true }),
          new TableIndex({ name: 'ix_users_role', columnNames: ['role', 'disabled'] }),
          new TableIndex({ name: 'ix_users_customer', columnNames: ['customer_id', 'id'] }),
          new TableIndex({ name: 'ix_users_name', columnNames: ['name', 'id'] }),
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('users');
  }
}
