import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const nullable = { isNullable: true };

const REPLICAS = new Table({
  name: 'link_replicas',
  columns: [tableColumn.uuid('id', { isPrimary: true }), tableColumn.text('name', 255), tableColumn.integer('beat')],
});

const CONNECTIONS = new Table({
  name: 'connections',
  columns: [
    tableColumn.uuid('device_id', { isPrimary: true }),
    { name: 'online', type: 'boolean' },
    tableColumn.time('since', nullable),
    tableColumn.time('last_seen', nullable),
    tableColumn.text('via', 16, nullable),
    tableColumn.uuid('link_id', nullable),
    tableColumn.uuid('replica_id', nullable),
    tableColumn.text('replica', 255, nullable),
    tableColumn.text('address', 64, nullable),
    tableColumn.text('protocol', 64, nullable),
    tableColumn.text('client_id', 256, nullable),
    tableColumn.text('reason', 512, nullable),
    tableColumn.time('silent_at', nullable),
    tableColumn.text('will_topic', 1_024, nullable),
    tableColumn.text('will_payload', 4_096, nullable),
    tableColumn.time('will_at', nullable),
  ],
  indices: [
    new TableIndex({ name: 'ix_connections_replica', columnNames: ['replica_id', 'online'] }),
    new TableIndex({ name: 'ix_connections_silent_at', columnNames: ['silent_at'] }),
  ],
});

const EVENTS = new Table({
  name: 'connection_events',
  columns: [
    tableColumn.uuid('id', { isPrimary: true }),
    tableColumn.uuid('device_id'),
    tableColumn.text('kind', 16),
    tableColumn.time('at'),
    tableColumn.text('via', 16, nullable),
    tableColumn.text('replica', 255, nullable),
    tableColumn.text('address', 64, nullable),
    tableColumn.text('reason', 512, nullable),
    tableColumn.text('topic', 1_024, nullable),
  ],
  indices: [new TableIndex({ name: 'ix_connection_events_device', columnNames: ['device_id', 'id'] })],
});

export class Presence1767225600201 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of [REPLICAS, CONNECTIONS, EVENTS]) await runner.createTable(table, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [EVENTS, CONNECTIONS, REPLICAS]) await runner.dropTable(table);
  }
}
