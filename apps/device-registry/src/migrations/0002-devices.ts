import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Devices1767225600002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'devices',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.text('name', 128),
          tableColumn.text('sort_name', 256),
          tableColumn.text('kind', 16),
          tableColumn.uuid('customer_id', { isNullable: true }),
          tableColumn.text('customer_scope', 36, { default: "''" }),
          tableColumn.text('mac_address', 64, { isNullable: true }),
          tableColumn.text('serial', 128, { isNullable: true }),
          tableColumn.uuid('owner_id', { isNullable: true }),
          tableColumn.uuid('master_id', { isNullable: true }),
          tableColumn.uuid('default_of', { isNullable: true }),
          tableColumn.text('provisioned_mac', 64, { isNullable: true }),
          tableColumn.integer('token_generation', { default: '1' }),
          tableColumn.json('labels'),
          tableColumn.json('attributes'),
          tableColumn.integer('version', { default: '1' }),
          tableColumn.time('created_at'),
          tableColumn.time('updated_at'),
        ],
        indices: [
          unique('uq_devices_scope_mac', 'customer_scope', 'mac_address'),
          unique('uq_devices_provisioned_mac', 'provisioned_mac'),
          unique('uq_devices_default_of', 'default_of'),
          unique('uq_devices_master_name', 'master_id', 'name'),
          index('ix_devices_sort_name', 'sort_name', 'id'),
          index('ix_devices_customer', 'customer_id', 'id'),
          index('ix_devices_customer_name', 'customer_id', 'sort_name', 'id'),
          index('ix_devices_owner', 'owner_id', 'id'),
          index('ix_devices_owner_name', 'owner_id', 'sort_name', 'id'),
          index('ix_devices_master', 'master_id', 'id'),
          index('ix_devices_mac', 'mac_address', 'id'),
          index('ix_devices_serial', 'serial', 'id'),
        ],
        foreignKeys: [
          restricted('fk_devices_customer', 'customer_id', 'customers'),
          restricted('fk_devices_master', 'master_id', 'devices'),
        ],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('devices');
  }
}

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });
const unique = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames, isUnique: true });
const restricted = (name: string, columnName: string, table: string) =>
  new TableForeignKey({
    name,
    columnNames: [columnName],
    referencedTableName: table,
    referencedColumnNames: ['id'],
    onDelete: 'RESTRICT',
  });
