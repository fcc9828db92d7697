import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const COMMANDS = new Table({
  name: 'commands',
  columns: [
    tableColumn.uuid('id', { isPrimary: true }),
    tableColumn.uuid('device_id'),
    tableColumn.integer('number'),
    tableColumn.text('method', 255),
    tableColumn.json('params', { isNullable: true }),
    tableColumn.text('status', 16),
    { name: 'persist', type: 'boolean' },
    tableColumn.text('idempotency_key', 128, { isNullable: true }),
    tableColumn.text('request_hash', 64, { isNullable: true }),
    tableColumn.json('result', { isNullable: true }),
    tableColumn.text('error', 1_024, { isNullable: true }),
    tableColumn.uuid('created_by'),
    tableColumn.uuid('asker', { isNullable: true }),
    tableColumn.uuid('link_id', { isNullable: true }),
    tableColumn.time('created_at'),
    tableColumn.time('expires_at'),
    tableColumn.time('sent_at', { isNullable: true }),
    tableColumn.time('delivered_at', { isNullable: true }),
    tableColumn.time('finished_at', { isNullable: true }),
  ],
  indices: [
    new TableIndex({ name: 'uq_commands_number', columnNames: ['device_id', 'number'], isUnique: true }),
    new TableIndex({
      name: 'uq_commands_idempotency_key',
      columnNames: ['device_id', 'idempotency_key'],
      isUnique: true,
    }),
    new TableIndex({ name: 'ix_commands_device_status', columnNames: ['device_id', 'status', 'number'] }),
    new TableIndex({ name: 'ix_commands_overdue', columnNames: ['status', 'expires_at'] }),
  ],
});

const COUNTERS = new Table({
  name: 'command_counters',
  columns: [tableColumn.uuid('device_id', { isPrimary: true }), tableColumn.integer('last_number')],
});

export class Commands1767225600202 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of [COMMANDS, COUNTERS]) await runner.createTable(table, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [COUNTERS, COMMANDS]) await runner.dropTable(table);
  }
}
