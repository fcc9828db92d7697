import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const columns = (...options: ConstructorParameters<typeof TableColumn>[0][]) =>
  options.map((option) => new TableColumn(option));

const OF_CREDENTIALS = columns(
  tableColumn.text('client_id', 256, { isNullable: true }),
  tableColumn.text('password_hash', 128, { isNullable: true }),
);
const OF_DEVICES = columns(tableColumn.uuid('provisioning_key', { isNullable: true }));
const OF_DEVICE_PROFILES = columns(tableColumn.integer('inactivity_seconds', { isNullable: true }));

const BY_PROFILE = new TableIndex({ name: 'ix_devices_profile_id', columnNames: ['profile_id', 'id'] });

export class TalkingDevices1767225600016 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns('credentials', OF_CREDENTIALS);
    await runner.addColumns('devices', OF_DEVICES);
    await runner.addColumns('device_profiles', OF_DEVICE_PROFILES);
    await runner.createIndex('devices', BY_PROFILE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndex('devices', BY_PROFILE);
    await runner.dropColumns('device_profiles', OF_DEVICE_PROFILES);
    await runner.dropColumns('devices', OF_DEVICES);
    await runner.dropColumns('credentials', OF_CREDENTIALS);
  }
}
