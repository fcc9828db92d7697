import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const COLUMNS = [tableColumn.text('user_name', 256, { isNullable: true }), tableColumn.boolean('pending')].map(
  (options) => new TableColumn(options),
);

export class CredentialKinds1767225600008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumns('credentials', COLUMNS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropColumns('credentials', COLUMNS);
  }
}
