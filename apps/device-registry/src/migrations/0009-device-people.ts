import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class DevicePeople1767225600009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'device_people',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.uuid('user_id', { isPrimary: true }),
          tableColumn.text('access', 8),
          tableColumn.time('created_at'),
        ],
        indices: [new TableIndex({ name: 'ix_device_people_user', columnNames: ['user_id', 'device_id'] })],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_device_people_device',
            columnNames: ['device_id'],
            referencedTableName: 'devices',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          }),
        ],
      }),
      true,
    );
    await runner.query(
      "INSERT INTO device_people (device_id, user_id, access, created_at) SELECT id, owner_id, 'owner', updated_at FROM devices WHERE owner_id IS NOT NULL",
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('device_people');
  }
}
