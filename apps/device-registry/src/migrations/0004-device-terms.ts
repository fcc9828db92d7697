import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class DeviceTerms1767225600004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'device_terms',
        columns: [
          tableColumn.uuid('device_id', { isPrimary: true }),
          tableColumn.text('term', 256, { isPrimary: true }),
        ],
        indices: [new TableIndex({ name: 'ix_device_terms_term', columnNames: ['term', 'device_id'] })],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_device_terms_device',
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
    await runner.dropTable('device_terms');
  }
}
