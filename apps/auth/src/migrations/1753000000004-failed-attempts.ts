import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class FailedAttempts1753000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'failed_attempts',
        columns: [
          tableColumn.text('subject', 64, { isPrimary: true }),
          tableColumn.integer('attempts'),
          tableColumn.time('window_ends_at'),
        ],
        indices: [new TableIndex({ name: 'ix_failed_attempts_window', columnNames: ['window_ends_at'] })],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('failed_attempts');
  }
}
