import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase } from '#testing';
import { REGISTRY } from './data-source-name.ts';
import { REGISTRY_SCHEMA } from './schema.ts';

/** How many migrations the first release had. */
const FIRST_RELEASE = 5;

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

  test('keep every row of a registry that is upgraded', async () => {
    const runner = dataSource.createQueryRunner();
    const later = REGISTRY_SCHEMA.migrations.length - FIRST_RELEASE;
    for (let count = 0; count < later; count += 1) await dataSource.undoLastMigration();
    await runner.query(
      `INSERT INTO devices (id, name, sort_name, kind, owner_id, labels, attributes, created_at, updated_at)
       VALUES ('d', 'D', 'd', 'direct', 'u', '[]', '{}', '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000')`,
    );
    await runner.query("INSERT INTO device_labels (device_id, label) VALUES ('d', 'cellar')");
    await runner.query("INSERT INTO device_terms (device_id, term) VALUES ('d', 'd')");
    await runner.query(
      "INSERT INTO credentials (id, device_id, kind, secret_hash, created_at) VALUES ('c', 'd', 'access-token', 'h', '2026-01-01 00:00:00.000')",
    );
    await migrate(dataSource);
    expect(await runner.query('SELECT state, enabled FROM devices')).toEqual([{ state: 'active', enabled: 1 }]);
    for (const table of ['device_labels', 'device_terms', 'credentials', 'device_people']) {
      expect(await runner.query(`SELECT device_id FROM ${table}`)).toEqual([{ device_id: 'd' }]);
    }
    await runner.release();
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
