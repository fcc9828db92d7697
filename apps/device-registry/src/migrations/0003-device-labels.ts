import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class DeviceLabels1767225600003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'device_labels',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.text('label', 64, { isPrimary: true }),
        ],
        indices: [new TableIndex({ name: 'ix_device_labels_label', columnNames: ['label', 'device_id'] })],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_device_labels_device',
            columnNames: ['device_id'],
            referencedTableName: 'devices',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          }),
        ],
      }),
      true,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('device_labels');
  }
}
