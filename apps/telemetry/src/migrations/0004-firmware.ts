import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });

export class Firmware1767225600204 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'firmware_packages',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.text('kind', 16),
          tableColumn.text('title', 255),
          tableColumn.text('version', 255),
          tableColumn.text('file_name', 255),
          tableColumn.integer('size', { default: '0' }),
          tableColumn.text('checksum', 64, { isNullable: true }),
          tableColumn.text('state', 16),
          tableColumn.text('name_digest', 64, { isNullable: true }),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.uuid('created_by'),
          tableColumn.time('created_at'),
          tableColumn.time('lease_until', { isNullable: true }),
        ],
        indices: [
          new TableIndex({ name: 'uq_firmware_packages_name', columnNames: ['name_digest'], isUnique: true }),
          index('ix_firmware_packages_state', 'state', 'lease_until'),
          index('ix_firmware_packages_customer', 'customer_id', 'id'),
        ],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'firmware_chunks',
        columns: [
          tableColumn.uuid('package_id', { isPrimary: true }),
          tableColumn.integer('number', { isPrimary: true }),
          tableColumn.blob('content'),
        ],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_firmware_chunks_package',
            columnNames: ['package_id'],
            referencedTableName: 'firmware_packages',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          }),
        ],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'firmware_rollouts',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.uuid('package_id'),
          tableColumn.text('kind', 16),
          tableColumn.uuid('profile_id'),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.double('percent'),
          tableColumn.double('stop_percent'),
          tableColumn.integer('stop_after'),
          tableColumn.text('state', 16),
          tableColumn.text('message', 1_024, { isNullable: true }),
          tableColumn.uuid('scanned_to', { isNullable: true }),
          tableColumn.boolean('to_scan'),
          tableColumn.boolean('to_withdraw'),
          tableColumn.integer('left_updated', { default: '0' }),
          tableColumn.integer('left_failed', { default: '0' }),
          tableColumn.integer('left_other', { default: '0' }),
          tableColumn.uuid('lease_holder', { isNullable: true }),
          tableColumn.time('lease_until', { isNullable: true }),
          tableColumn.uuid('created_by'),
          tableColumn.time('created_at'),
          tableColumn.time('finished_at', { isNullable: true }),
        ],
        indices: [
          index('ix_firmware_rollouts_state', 'state', 'id'),
          index('ix_firmware_rollouts_scan', 'to_scan', 'lease_until'),
          index('ix_firmware_rollouts_withdraw', 'to_withdraw', 'lease_until'),
          index('ix_firmware_rollouts_customer', 'customer_id', 'id'),
          index('ix_firmware_rollouts_package', 'package_id', 'state'),
        ],
      }),
      true,
    );
    await runner.createTable(
      new Table({
        name: 'firmware_devices',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.text('kind', 16, { isPrimary: true }),
          tableColumn.uuid('package_id', { isNullable: true }),
          tableColumn.uuid('rollout_id', { isNullable: true }),
          tableColumn.text('state', 16),
          tableColumn.integer('bytes', { default: '0' }),
          tableColumn.text('error', 1_024, { isNullable: true }),
          tableColumn.time('assigned_at'),
          tableColumn.time('updated_at'),
        ],
        indices: [
          index('ix_firmware_devices_rollout', 'rollout_id', 'state', 'device_id'),
          index('ix_firmware_devices_package', 'package_id'),
        ],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['firmware_devices', 'firmware_rollouts', 'firmware_chunks', 'firmware_packages']) {
      await runner.dropTable(table);
    }
  }
}
