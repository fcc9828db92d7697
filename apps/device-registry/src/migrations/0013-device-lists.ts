import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });

const OF_DEVICES = [
  index('ix_devices_kind', 'kind', 'created_at', 'id'),
  index('ix_devices_state', 'state', 'created_at', 'id'),
  index('ix_devices_customer_kind', 'customer_id', 'kind', 'created_at', 'id'),
  index('ix_devices_customer_state', 'customer_id', 'state', 'created_at', 'id'),
  index('ix_devices_customer_profile', 'customer_id', 'profile_id', 'created_at', 'id'),
];
const OF_ASSETS = [
  index('ix_assets_profile_created', 'profile_id', 'id'),
  index('ix_assets_customer_profile', 'customer_id', 'profile_id', 'sort_name', 'id'),
];
const OF_AUDIT_ENTRIES = [
  index('ix_audit_entries_customer_action', 'customer_id', 'action', 'id'),
  index('ix_audit_entries_customer_actor', 'customer_id', 'actor_id', 'id'),
];

const BY_TABLE: [table: string, indexes: TableIndex[]][] = [
  ['devices', OF_DEVICES],
  ['assets', OF_ASSETS],
  ['audit_entries', OF_AUDIT_ENTRIES],
];

export class DeviceLists1767225600013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [table, indexes] of BY_TABLE) await runner.createIndices(table, indexes);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table, indexes] of BY_TABLE) await runner.dropIndices(table, indexes);
  }
}
