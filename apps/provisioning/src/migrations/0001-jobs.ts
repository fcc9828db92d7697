import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });
const ofJob = (name: string) =>
  new TableForeignKey({
    name,
    columnNames: ['job_id'],
    referencedTableName: 'import_jobs',
    referencedColumnNames: ['id'],
    onDelete: 'CASCADE',
  });

export class Jobs1767225600101 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'import_jobs',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.uuid('user_id'),
          tableColumn.uuid('session_id'),
          tableColumn.text('role', 16),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.text('state', 16),
          tableColumn.integer('total', { isNullable: true }),
          tableColumn.integer('processed', { default: '0' }),
          tableColumn.integer('created', { default: '0' }),
          tableColumn.integer('unchanged', { default: '0' }),
          tableColumn.integer('failed', { default: '0' }),
          tableColumn.text('message', 1_024, { isNullable: true }),
          tableColumn.uuid('lease_holder', { isNullable: true }),
          tableColumn.time('lease_until', { isNullable: true }),
          tableColumn.time('created_at'),
          tableColumn.time('finished_at', { isNullable: true }),
        ],
        indices: [
          index('ix_import_jobs_state', 'state', 'lease_until', 'id'),
          index('ix_import_jobs_user', 'user_id', 'id'),
          index('ix_import_jobs_customer', 'customer_id', 'id'),
          index('ix_import_jobs_finished', 'finished_at', 'id'),
        ],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'job_chunks',
        columns: [
          tableColumn.uuid('job_id', { isPrimary: true }),
          tableColumn.integer('number', { isPrimary: true }),
          tableColumn.json('content'),
        ],
        foreignKeys: [ofJob('fk_job_chunks_job')],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'job_errors',
        columns: [
          tableColumn.uuid('job_id', { isPrimary: true }),
          tableColumn.integer('line', { isPrimary: true }),
          tableColumn.text('code', 64),
          tableColumn.text('field', 64, { isNullable: true }),
          tableColumn.text('message', 1_024),
        ],
        foreignKeys: [ofJob('fk_job_errors_job')],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['job_errors', 'job_chunks', 'import_jobs']) await runner.dropTable(table);
  }
}
