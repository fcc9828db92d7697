import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const TICKETS = new Table({
  name: 'pair_tickets',
  columns: [
    tableColumn.uuid('device_id', { isPrimary: true }),
    tableColumn.text('pair_key_hash', 64),
    tableColumn.text('owner_key_hash', 64),
    tableColumn.uuid('claimed_by', { isNullable: true }),
    tableColumn.time('expires_at'),
  ],
  indices: [
    new TableIndex({ name: 'uq_pair_tickets_pair_key_hash', columnNames: ['pair_key_hash'], isUnique: true }),
    new TableIndex({ name: 'ix_pair_tickets_expires_at', columnNames: ['expires_at'] }),
  ],
});

const ATTEMPTS = new Table({
  name: 'failed_attempts',
  columns: [
    tableColumn.text('subject', 64, { isPrimary: true }),
    tableColumn.integer('attempts'),
    tableColumn.time('window_ends_at'),
  ],
  indices: [new TableIndex({ name: 'ix_failed_attempts_window', columnNames: ['window_ends_at'] })],
});

export class Pairing1767225600103 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of [TICKETS, ATTEMPTS]) await runner.createTable(table, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [ATTEMPTS, TICKETS]) await runner.dropTable(table);
  }
}
