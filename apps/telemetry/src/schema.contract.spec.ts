import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase } from '#testing';
import { TELEMETRY } from './data-source-name.ts';
import { TELEMETRY_SCHEMA } from './schema.ts';

function migrationsSuite(databaseUrl: () => Promise<string>): void {
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await dataSourceFor(await databaseUrl(), TELEMETRY, TELEMETRY_SCHEMA).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
  });

  const difference = async () =>
    (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

  test('lead to exactly what the entities say, down again to nothing, and up once more', async () => {
    expect(await migrate(dataSource)).toHaveLength(TELEMETRY_SCHEMA.migrations.length);
    expect(await difference()).toEqual([]);
    for (const _ of TELEMETRY_SCHEMA.migrations) await dataSource.undoLastMigration();
    const runner = dataSource.createQueryRunner();
    for (const { tableName } of dataSource.entityMetadatas) expect(await runner.hasTable(tableName)).toBe(false);
    await runner.release();
    await migrate(dataSource);
    expect(await difference()).toEqual([]);
  });

  test('run once', async () => {
    expect(await migrate(dataSource)).toEqual([]);
  });
}

describe("telemetry's migrations on SQLite", () => {
  migrationsSuite(() => Promise.resolve('file::memory:'));
});

describeWith(['mysql'], "telemetry's migrations on MySQL", () => {
  migrationsSuite(async () => (await freshMysqlDatabase()).url);
});
