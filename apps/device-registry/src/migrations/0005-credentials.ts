import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class Credentials1767225600005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'credentials',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.uuid('device_id'),
          tableColumn.text('kind', 32),
          tableColumn.text('secret_hash', 64),
          tableColumn.integer('generation', { isNullable: true }),
          tableColumn.time('created_at'),
          tableColumn.time('expires_at', { isNullable: true }),
        ],
        indices: [
          new TableIndex({ name: 'uq_credentials_secret_hash', columnNames: ['secret_hash'], isUnique: true }),
          new TableIndex({
            name: 'uq_credentials_device_generation',
            columnNames: ['device_id', 'generation'],
            isUnique: true,
          }),
          new TableIndex({ name: 'ix_credentials_expires_at', columnNames: ['expires_at'] }),
        ],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_credentials_device',
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
    await runner.dropTable('credentials');
  }
}
