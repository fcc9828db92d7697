import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

const INDEXES = [
  new TableIndex({ name: 'ix_relations_from', columnNames: ['from_id', 'id'] }),
  new TableIndex({ name: 'ix_relations_customer_type', columnNames: ['customer_id', 'type', 'id'] }),
];

export class RelationLists1767225600014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.createIndices('relations', INDEXES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropIndices('relations', INDEXES);
  }
}
