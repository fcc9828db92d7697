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

/** One multi-row INSERT: its text and its values, as the driver takes them. */
interface Insert {
  sql: string;
  values: unknown[];
}

/** Multi-row INSERTs of so many devices. */
function* insertsOf(dataSource: DataSource, devices: number, now: number): Generator<Insert> {
  const { columns } = dataSource.getMetadata(DeviceEntity);
  const names = columns.map(({ databaseName }) => databaseName).join(', ');
  const marks = `(${columns.map(() => '?').join(', ')})`;
  for (let from = 0; from < devices; from += ROWS_AT_ONCE) {
    const rows = Array.from({ length: Math.min(ROWS_AT_ONCE, devices - from) }, (_, i) => deviceRow(from + i, now));
    yield {
      sql: `INSERT INTO devices (${names}) VALUES ${rows.map(() => marks).join(', ')}`,
      values: rows.flatMap((row) =>
        columns.map((column): unknown => dataSource.driver.preparePersistentValue(column.getEntityValue(row), column)),
      ),
    };
  }
}

/** Rows a second of such statements alone, each a transaction of its own, into an empty table with all its indices. */
export async function rawInsertRate(url: string, rows: number, now: number): Promise<number> {
  const dataSource = await openRegistry(url);
  try {
    let busyMs = 0;
    for (const { sql, values } of insertsOf(dataSource, rows, now)) {
      const start = performance.now();
      await dataSource.query(sql, values);
      busyMs += performance.now() - start;
    }
    return rows / (busyMs / 1_000);
  } finally {
    await dataSource.destroy();
  }
}

/** Those of {@link deviceRow}, and not what else the bench has made. */
const FILLED = 'serial IS NOT NULL AND customer_id IS NULL';

/** So many devices with their labels and search terms, as the registry would have made them. */
export async function fillRegistry(url: string, devices: number, now: number): Promise<void> {
  const dataSource = await openRegistry(url);
  try {
    for (const { sql, values } of insertsOf(dataSource, devices, now)) await dataSource.query(sql, values);
    const number = dataSource.options.type === 'mysql' ? 'SUBSTRING(serial, 4)' : 'substr(serial, 4)';
    const terms = ["'sensor'", number, 'LOWER(serial)', "'sn'", "LOWER(REPLACE(mac_address, ':', ''))"];
    for (const term of terms) {
      await dataSource.query(
        `INSERT INTO device_terms (device_id, term) SELECT id, ${term} FROM devices WHERE ${FILLED} ORDER BY id`,
      );
    }
    await dataSource.query(
      `INSERT INTO device_labels (device_id, label) SELECT id, ${rowLabel(dataSource)} FROM devices WHERE ${FILLED} ORDER BY id`,
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
