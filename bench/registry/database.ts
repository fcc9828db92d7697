import type { DataSource } from 'typeorm';
import { dataSourceFor, migrate } from '#sql';
import { DeviceEntity } from '../../apps/device-registry/src/devices/device.entity.ts';
import { REGISTRY_SCHEMA } from '../../apps/device-registry/src/schema.ts';

/** Rows of one multi-row INSERT. */
const ROWS_AT_ONCE = 500;

/** Everything that a device's row has, as the registry writes it; `number` makes it another one. */
export const deviceRow = (number: number, now: number) => ({
  id: idOf(number, now),
  name: `Sensor ${String(number)}`,
  sortName: `sensor ${String(number)}`,
  kind: 'direct' as const,
  customerId: null,
  customerScope: '',
  macAddress: macOf(number),
  serial: `SN-${String(number)}`,
  ownerId: null,
  masterId: null,
  defaultOf: null,
  provisionedMac: null,
  profileId: null,
  state: 'created' as const,
  activatedAt: null,
  enabled: true,
  identityKey: null,
  importedBy: null,
  tokenGeneration: 1,
  labels: [`row-${String(number % ROWS)}`],
  attributes: {},
  version: 1,
  createdAt: new Date(now + number),
  updatedAt: new Date(now + number),
});

/** Rows of the imaginary hall in which the devices stand: one label each. */
export const ROWS = 1_000;

export const macOf = (number: number): string =>
  `02:B0:${number
    .toString(16)
    .padStart(8, '0')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:')}`;

const idOf = (number: number, now: number): string =>
  `${now.toString(16).padStart(12, '0').replace(/^.{8}/, '$&-')}-7000-8000-${number.toString(16).padStart(12, '0')}`;

/** Opens a database with the registry's schema. */
export async function openRegistry(url: string): Promise<DataSource> {
  const dataSource = await dataSourceFor(url, 'bench', REGISTRY_SCHEMA).initialize();
  await migrate(dataSource);
  return dataSource;
}

/** Inserts devices `from` (inclusive) to `to` (exclusive) in multi-row statements, each a transaction of its own. */
export async function insertRows(dataSource: DataSource, from: number, to: number, now: number): Promise<void> {
  for (let start = from; start < to; start += ROWS_AT_ONCE) {
    const length = Math.min(ROWS_AT_ONCE, to - start);
    const rows = Array.from({ length }, (_, index) => deviceRow(start + index, now));
    await dataSource.createQueryBuilder().insert().into(DeviceEntity).values(rows).updateEntity(false).execute();
  }
}

/** Rows a second of such statements alone, into an empty table with all its indices. */
export async function rawInsertRate(url: string, rows: number, now: number): Promise<number> {
  const dataSource = await openRegistry(url);
  try {
    const start = performance.now();
    await insertRows(dataSource, 0, rows, now);
    return rows / ((performance.now() - start) / 1_000);
  } finally {
    await dataSource.destroy();
  }
}

/** So many devices with their labels and search terms, as the registry would have made them. */
export async function fillRegistry(url: string, devices: number, now: number): Promise<void> {
  const dataSource = await openRegistry(url);
  try {
    await insertRows(dataSource, 0, devices, now);
    const number = dataSource.options.type === 'mysql' ? 'SUBSTRING(serial, 4)' : 'substr(serial, 4)';
    const terms = ["'sensor'", number, 'LOWER(serial)', "'sn'", "LOWER(REPLACE(mac_address, ':', ''))"];
    for (const term of terms) {
      await dataSource.query(`INSERT INTO device_terms (device_id, term) SELECT id, ${term} FROM devices ORDER BY id`);
    }
    await dataSource.query(
      `INSERT INTO device_labels (device_id, label) SELECT id, ${rowLabel(dataSource)} FROM devices ORDER BY id`,
    );
    await dataSource.query(dataSource.options.type === 'mysql' ? 'ANALYZE TABLE devices, device_terms' : 'ANALYZE');
  } finally {
    await dataSource.destroy();
  }
}

const rowLabel = (dataSource: DataSource): string =>
  dataSource.options.type === 'mysql'
    ? `CONCAT('row-', MOD(CAST(SUBSTRING(serial, 4) AS UNSIGNED), ${String(ROWS)}))`
    : `'row-' || (CAST(substr(serial, 4) AS integer) % ${String(ROWS)})`;
