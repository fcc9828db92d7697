import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });

export class AuditEntries1767225600011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'audit_entries',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.time('at'),
          tableColumn.text('actor_kind', 16),
          tableColumn.text('actor_id', 64, { isNullable: true }),
          tableColumn.text('action', 64),
          tableColumn.text('subject_kind', 32),
          tableColumn.uuid('subject_id'),
          tableColumn.text('subject_name', 256, { isNullable: true }),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.json('changes', { isNullable: true }),
        ],
        indices: [
          index('ix_audit_entries_customer', 'customer_id', 'id'),
          index('ix_audit_entries_subject', 'subject_id', 'id'),
          index('ix_audit_entries_actor', 'actor_id', 'id'),
          index('ix_audit_entries_action', 'action', 'id'),
        ],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('audit_entries');
  }
}
