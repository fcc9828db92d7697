import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Sessions1753000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'sessions',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.uuid('user_id'),
          tableColumn.text('network', 45),
          tableColumn.time('created_at'),
          tableColumn.time('refreshed_at'),
          tableColumn.time('access_until'),
          tableColumn.time('expires_at'),
          tableColumn.time('ended_at', { isNullable: true }),
        ],
        indices: [
          new TableIndex({ name: 'ix_sessions_user', columnNames: ['user_id', 'refreshed_at'] }),
          new TableIndex({ name: 'ix_sessions_access_until', columnNames: ['access_until'] }),
          new TableIndex({ name: 'ix_sessions_expires', columnNames: ['expires_at'] }),
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('sessions');
  }
}
