import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });
const unique = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames, isUnique: true });
const key = (name: string, columnName: string, table: string, onDelete: 'RESTRICT' | 'CASCADE') =>
  new TableForeignKey({
    name,
    columnNames: [columnName],
    referencedTableName: table,
    referencedColumnNames: ['id'],
    onDelete,
  });

const ASSETS = new Table({
  name: 'assets',
  columns: [
    tableColumn.uuid('id', { isPrimary: true }),
    tableColumn.text('name', 128),
    tableColumn.text('sort_name', 256),
    tableColumn.uuid('profile_id'),
    tableColumn.uuid('customer_id', { isNullable: true }),
    tableColumn.double('latitude', { isNullable: true }),
    tableColumn.double('longitude', { isNullable: true }),
    tableColumn.json('attributes'),
    tableColumn.text('identity_key', 64, { isNullable: true }),
    tableColumn.integer('version', { default: '1' }),
    tableColumn.time('created_at'),
    tableColumn.time('updated_at'),
  ],
  indices: [
    unique('uq_assets_identity_key', 'identity_key'),
    index('ix_assets_sort_name', 'sort_name', 'id'),
    index('ix_assets_customer', 'customer_id', 'id'),
    index('ix_assets_customer_name', 'customer_id', 'sort_name', 'id'),
    index('ix_assets_profile', 'profile_id', 'sort_name', 'id'),
  ],
  foreignKeys: [
    key('fk_assets_profile', 'profile_id', 'asset_profiles', 'RESTRICT'),
    key('fk_assets_customer', 'customer_id', 'customers', 'RESTRICT'),
  ],
});

const RELATIONS = new Table({
  name: 'relations',
  columns: [
    tableColumn.uuid('id', { isPrimary: true }),
    tableColumn.uuid('from_id'),
    tableColumn.text('type', 64),
    tableColumn.uuid('to_id'),
    tableColumn.uuid('to_asset_id', { isNullable: true }),
    tableColumn.uuid('to_device_id', { isNullable: true }),
    tableColumn.time('created_at'),
  ],
  indices: [
    unique('uq_relations_from_type_to', 'from_id', 'type', 'to_id'),
    index('ix_relations_to', 'to_id', 'type'),
    index('ix_relations_to_asset', 'to_asset_id'),
    index('ix_relations_to_device', 'to_device_id'),
  ],
  foreignKeys: [
    key('fk_relations_from', 'from_id', 'assets', 'RESTRICT'),
    key('fk_relations_to_asset', 'to_asset_id', 'assets', 'CASCADE'),
    key('fk_relations_to_device', 'to_device_id', 'devices', 'CASCADE'),
  ],
});

const RELATION_TYPES = new Table({
  name: 'relation_types',
  columns: [tableColumn.text('type', 64, { isPrimary: true })],
});

export class Assets1767225600010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of [ASSETS, RELATIONS, RELATION_TYPES]) await runner.createTable(table, true);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [RELATION_TYPES, RELATIONS, ASSETS]) await runner.dropTable(table);
  }
}
