import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { uuid7 } from '#platform';
import { dataSourceFor, migrate } from '#sql';
import { describeWith, freshMysqlDatabase } from '#testing';
import { TELEMETRY } from '../data-source-name.ts';
import { TELEMETRY_SCHEMA } from '../schema.ts';
import { AttributeEntity, TwinEntity } from './attribute.entity.ts';
import { ATTRIBUTE_LIMITS } from './attribute-limits.ts';
import { AttributeStore } from './attribute-store.ts';

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0, 123);
const BY = uuid7();

function storeSuite(databaseUrl: () => Promise<string>): void {
  let dataSource: DataSource;
  let store: AttributeStore;
  let device: string;

  beforeAll(async () => {
    dataSource = await dataSourceFor(await databaseUrl(), TELEMETRY, TELEMETRY_SCHEMA).initialize();
    await migrate(dataSource);
    store = new AttributeStore(dataSource, () => NOW);
  });
  afterAll(async () => {
    await dataSource.destroy();
  });
  beforeEach(() => {
    device = uuid7();
  });

  const values = async () =>
    Object.fromEntries((await store.find(device)).map(({ scope, key, value }) => [`${scope} ${key}`, value]));
  const share = (shared: Record<string, unknown>) => store.write(device, { shared }, { by: BY });

  test('keeps every kind of JSON exactly as it was given', async () => {
    const given = {
      text: 'ü "\ud83d\ude00" \ud800',
      number: 0.1,
      whole: 9_007_199_254_740_991,
      no: false,
      list: [null, { b: 1, a: 2 }],
      long: 'x'.repeat(16_000),
    };
    await store.write(device, { client: given }, { by: null });
    const rows = await store.find(device, { scope: 'client' });
    expect(JSON.stringify(Object.fromEntries(rows.map(({ key, value }) => [key, value])))).toBe(
      JSON.stringify(Object.fromEntries(Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1)))),
    );
  });

  test('knows keys by case and says who wrote when', async () => {
    await share({ a: 1, A: 2 });
    expect(await store.find(device)).toEqual([
      { deviceId: device, scope: 'shared', key: 'A', value: 2, version: 1, updatedAt: new Date(NOW), updatedBy: BY },
      { deviceId: device, scope: 'shared', key: 'a', value: 1, version: 1, updatedAt: new Date(NOW), updatedBy: BY },
    ]);
    expect(await store.find(device, { keys: ['a'], scope: 'server' })).toEqual([]);
  });

  test('counts writes of all scopes, one at a time, and none that changes nothing', async () => {
    expect(await store.version(device)).toBe(0);
    expect(await share({ a: 1 })).toMatchObject({ version: 1 });
    const both = await store.write(device, { shared: { a: 2 }, server: { s: 1 } }, { by: BY });
    expect(both).toEqual({
      version: 2,
      changes: [
        { scope: 'shared', version: 2, changed: { a: 2 }, deleted: [], at: NOW },
        { scope: 'server', version: 2, changed: { s: 1 }, deleted: [], at: NOW },
      ],
    });
    expect(await share({ a: 2, gone: null })).toEqual({ version: 2, changes: [] });
    expect(await store.version(device)).toBe(2);
  });

  test('writes only upon the version that If-Match names', async () => {
    await share({ a: 1 });
    await store.write(device, { shared: { a: 2 } }, { by: BY, ifMatch: '"1"' });
    await expect(store.write(device, { shared: { a: 3 } }, { by: BY, ifMatch: '"1"' })).rejects.toMatchObject({
      code: 'VERSION_MISMATCH',
    });
    expect(await values()).toEqual({ 'shared a': 2 });
  });

  test('loses none of fifty writes at once, of a device that had none before', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `k${String(index)}`);
    const written = await Promise.all(
      keys.map((key) => store.write(device, { shared: { [key]: key, all: { [key]: 1 } } }, { by: BY })),
    );
    expect(written.map(({ version }) => version).sort((a, b) => a - b)).toEqual(keys.map((_, index) => index + 1));
    const now = await values();
    expect(now['shared all']).toEqual(Object.fromEntries(keys.map((key) => [key, 1])));
    expect(Object.keys(now)).toHaveLength(51);
  });

  test('gives a device what it missed write by write, and nothing twice', async () => {
    await share({ a: 1, b: 1 });
    await store.write(device, { client: { c: 1 } }, { by: null });
    await share({ a: 2 });
    await share({ b: null, d: 1 });
    const other = uuid7();
    await store.write(other, { client: { a: 1 }, server: { a: 1 } }, { by: null });
    expect(await store.waiting([other, device, uuid7()])).toEqual([device]);
    const told: unknown[] = [];
    for (let next = await store.nextUpdate(device); next; next = await store.nextUpdate(device)) {
      told.push(next);
      await store.delivered(device, next.version);
    }
    expect(told).toEqual([
      { version: 3, changed: { a: 2 }, deleted: [] },
      { version: 4, changed: { d: 1 }, deleted: ['b'] },
    ]);
    await store.delivered(device, 1);
    expect(await store.nextUpdate(device)).toBeNull();
    expect(await store.waiting([device])).toEqual([]);
    expect(await store.twin(device)).toMatchObject({ version: 4, deliveredVersion: 4 });
  });

  test('forgets deleted attributes once the device knows, not before', async () => {
    await share({ a: 1, b: 1 });
    await share({ a: null });
    await store.sweep(device);
    expect(await store.nextUpdate(device)).toMatchObject({ version: 1 });
    await store.delivered(device, 2);
    await store.sweep(device);
    expect(await dataSource.manager.countBy(AttributeEntity, { deviceId: device })).toBe(1);
    expect(await dataSource.manager.findOneBy(TwinEntity, { deviceId: device })).toMatchObject({ keys: 1, bytes: 2 });
  });

  test('keeps its counts of keys and bytes right through everything', async () => {
    await share({ a: 'xx', b: { c: 1 } });
    await store.write(device, { client: { x: [1, 2], y: 1 }, server: { z: true } }, { by: null });
    await store.write(device, { client: { x: null, y: 'yyyy' }, server: { z: null } }, { by: null });
    await share({ a: null });
    await share({ a: 7, b: { c: null } });
    const rows = await dataSource.manager.findBy(AttributeEntity, { deviceId: device });
    const bytes = rows.reduce((sum, { key, value }) => sum + key.length + JSON.stringify(value).length, 0);
    expect(await dataSource.manager.findOneBy(TwinEntity, { deviceId: device })).toMatchObject({
      keys: rows.length,
      bytes,
    });
    expect(rows).toHaveLength(3);
  });

  test('takes a thousand attributes and refuses one more, leaving all as it was', async () => {
    const many = Object.fromEntries(
      Array.from({ length: ATTRIBUTE_LIMITS.keys }, (_, index) => [`k${String(index)}`, index]),
    );
    await store.write(device, { client: many }, { by: null });
    await expect(share({ more: 1 })).rejects.toMatchObject({ code: 'ATTRIBUTES_TOO_LARGE' });
    expect(await store.version(device)).toBe(1);
  });

  test('forgets a device', async () => {
    await share({ a: 1 });
    await store.forget(device);
    expect(await store.version(device)).toBe(0);
    expect(await values()).toEqual({});
  });
}

describe('attributes on SQLite', () => {
  storeSuite(() => Promise.resolve('file::memory:'));
});

describeWith(['mysql'], 'attributes on MySQL', () => {
  storeSuite(async () => (await freshMysqlDatabase()).url);
});
