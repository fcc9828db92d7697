import { Table, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class SigningKeys1753000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'signing_keys',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.integer('generation'),
          tableColumn.text('private_key', 1024),
          tableColumn.time('signs_from'),
        ],
        indices: [new TableIndex({ name: 'uq_signing_keys_generation', columnNames: ['generation'], isUnique: true })],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('signing_keys');
  }
}
