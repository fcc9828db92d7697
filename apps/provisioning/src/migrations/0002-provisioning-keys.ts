import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const KEYS = new Table({
  name: 'provisioning_keys',
  columns: [
    tableColumn.uuid('id', { isPrimary: true }),
    tableColumn.text('name', 128),
    tableColumn.text('sort_name', 256),
    tableColumn.text('secret_hash', 64),
    tableColumn.uuid('customer_id', { isNullable: true }),
    tableColumn.uuid('created_by'),
    tableColumn.integer('max_uses', { isNullable: true }),
    tableColumn.integer('uses', { default: '0' }),
    tableColumn.time('expires_at', { isNullable: true }),
    tableColumn.time('created_at'),
  ],
  indices: [
    new TableIndex({ name: 'uq_provisioning_keys_secret_hash', columnNames: ['secret_hash'], isUnique: true }),
    new TableIndex({ name: 'ix_provisioning_keys_customer', columnNames: ['customer_id', 'id'] }),
    new TableIndex({ name: 'ix_provisioning_keys_sort_name', columnNames: ['sort_name', 'id'] }),
  ],
});

const USES = new Table({
  name: 'provisioning_key_uses',
  columns: [
    tableColumn.uuid('key_id', { isPrimary: true }),
    tableColumn.text('device_hash', 64, { isPrimary: true }),
    tableColumn.boolean('confirmed'),
    tableColumn.integer('pending'),
    tableColumn.time('asked_at'),
  ],
  foreignKeys: [
    new TableForeignKey({
      name: 'fk_provisioning_key_uses_key',
      columnNames: ['key_id'],
      referencedTableName: 'provisioning_keys',
      referencedColumnNames: ['id'],
      onDelete: 'CASCADE',
    }),
  ],
});

export class ProvisioningKeys1767225600102 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of [KEYS, USES]) await runner.createTable(table, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [USES, KEYS]) await runner.dropTable(table);
  }
}
