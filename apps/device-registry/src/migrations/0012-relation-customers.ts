import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { tableColumn } from '#sql';

const CUSTOMER = new TableColumn(tableColumn.uuid('customer_id', { isNullable: true }));

const index = (name: string, ...columnNames: string[]) => new TableIndex({ name, columnNames });

const INDEXES = [
  index('ix_relations_from_device', 'from_id', 'type', 'to_device_id'),
  index('ix_relations_customer', 'customer_id', 'id'),
  index('ix_relations_type', 'type', 'id'),
];

export class RelationCustomers1767225600012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.addColumn('relations', CUSTOMER);
    await runner.createIndices('relations', INDEXES);
    await runner.query(
      'UPDATE relations SET customer_id = (SELECT a.customer_id FROM assets a WHERE a.id = relations.from_id)',
    );
    await runner.query("INSERT INTO relation_types (type) VALUES ('Contains')");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DELETE FROM relation_types WHERE type = 'Contains'");
    await runner.dropIndices('relations', INDEXES);
    await runner.dropColumn('relations', CUSTOMER);
  }
}
