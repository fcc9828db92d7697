import { TableColumn, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const COLUMNS = [
  tableColumn.uuid('profile_id', { isNullable: true }),
  tableColumn.text('state', 16, { default: "'created'" }),
  tableColumn.time('activated_at', { isNullable: true }),
  tableColumn.boolean('enabled', { default: '1' }),
  tableColumn.text('identity_key', 64, { isNullable: true }),
  tableColumn.uuid('imported_by', { isNullable: true }),
].map((options) => new TableColumn(options));

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });

/** MySQL has another index for each foreign key while these are made anew. */
const BY_CREATION = [
  index('ix_devices_created', 'created_at', 'id'),
  index('ix_devices_customer', 'customer_id', 'created_at', 'id'),
  index('ix_devices_owner', 'owner_id', 'created_at', 'id'),
  index('ix_devices_master', 'master_id', 'created_at', 'id'),
  index('ix_devices_mac', 'mac_address', 'created_at', 'id'),
  index('ix_devices_serial', 'serial', 'created_at', 'id'),
];
const BY_ID = [
  index('ix_devices_customer', 'customer_id', 'id'),
  index('ix_devices_owner', 'owner_id', 'id'),
  index('ix_devices_master', 'master_id', 'id'),
  index('ix_devices_mac', 'mac_address', 'id'),
  index('ix_devices_serial', 'serial', 'id'),
];
const OTHERS = [
  new TableIndex({ name: 'uq_devices_identity_key', columnNames: ['identity_key'], isUnique: true }),
  index('ix_devices_profile', 'profile_id', 'created_at', 'id'),
];
const TO_PROFILE = new TableForeignKey({
  name: 'fk_devices_profile',
  columnNames: ['profile_id'],
  referencedTableName: 'device_profiles',
  referencedColumnNames: ['id'],
  onDelete: 'RESTRICT',
});

export class DeviceStates1767225600007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns('devices', COLUMNS);
    await runner.dropIndices('devices', BY_ID);
    await runner.createIndices('devices', [...BY_CREATION, ...OTHERS]);
    await runner.createForeignKey('devices', TO_PROFILE);
    await runner.query("UPDATE devices SET state = 'active'");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropForeignKey('devices', TO_PROFILE);
    await runner.dropIndices('devices', [...BY_CREATION, ...OTHERS]);
    await runner.createIndices('devices', BY_ID);
    await runner.dropColumns('devices', COLUMNS);
  }
}
