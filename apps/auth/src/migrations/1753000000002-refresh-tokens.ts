import { Table, TableForeignKey, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

export class RefreshTokens1753000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'refresh_tokens',
        columns: [
          tableColumn.uuid('id', { isPrimary: true }),
          tableColumn.uuid('session_id'),
          tableColumn.integer('generation'),
          tableColumn.text('hash', 64),
          tableColumn.time('expires_at'),
          tableColumn.time('used_at', { isNullable: true }),
        ],
        indices: [
          new TableIndex({ name: 'uq_refresh_tokens_hash', columnNames: ['hash'], isUnique: true }),
          new TableIndex({
            name: 'uq_refresh_tokens_generation',
            columnNames: ['session_id', 'generation'],
            isUnique: true,
          }),
          new TableIndex({ name: 'ix_refresh_tokens_expires', columnNames: ['expires_at'] }),
        ],
        foreignKeys: [
          new TableForeignKey({
            name: 'fk_refresh_tokens_session',
            columnNames: ['session_id'],
            referencedTableName: 'sessions',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          }),
        ],
      }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('refresh_tokens');
  }
}
