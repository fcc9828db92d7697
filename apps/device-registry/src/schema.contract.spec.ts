import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase } from '#testing';
import { REGISTRY } from './data-source-name.ts';
import { REGISTRY_SCHEMA } from './schema.ts';

function migrationsSuite(databaseUrl: () => Promise<string>): void {
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await dataSourceFor(await databaseUrl(), REGISTRY, REGISTRY_SCHEMA).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
  });

  const difference = async () =>
    (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

  test('lead to exactly what the entities say, down again to nothing, and up once more', async () => {
    expect(await migrate(dataSource)).toHaveLength(REGISTRY_SCHEMA.migrations.length);
    expect(await difference()).toEqual([]);
    for (const _ of REGISTRY_SCHEMA.migrations) await dataSource.undoLastMigration();
    const runner = dataSource.createQueryRunner();
    expect(await runner.hasTable('devices')).toBe(false);
    await runner.release();
    await migrate(dataSource);
    expect(await difference()).toEqual([]);
  });

  test('run once', async () => {
    expect(await migrate(dataSource)).toEqual([]);
  });
}

describe("the registry's migrations on SQLite", () => {
  migrationsSuite(() => Promise.resolve('file::memory:'));
});

describeWith(['mysql'], "the registry's migrations on MySQL", () => {
  migrationsSuite(async () => (await freshMysqlDatabase()).url);
});
