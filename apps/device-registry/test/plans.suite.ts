import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { uuid7 } from '#platform';
import {
  explained,
  person,
  startRegistry,
  statementsDuring,
  type Person,
  type StartedRegistry,
} from './started-registry.ts';

/** Rows of each table: enough for a planner to care. */
const ROWS = 20_000;
const BIG = '00000000-0000-7000-8000-000000000001';
const SMALL = '00000000-0000-7000-8000-000000000002';
const USUAL = '00000000-0000-7000-8000-000000000003';
const RARE = '00000000-0000-7000-8000-000000000004';
const HUB = '00000000-0000-7000-8000-000000000005';
const HOUSE = '00000000-0000-7000-8000-000000000006';
const ACTOR = '00000000-0000-7000-8000-000000000007';

/** They are looked for once a second, whatever is asked meanwhile. */
const CREDENTIALS_THAT_END = /FROM .credentials./;

/**
 * How every list of the registry is read: most devices are of one customer, kind, state and profile, a few of others, so that a plan that
 * goes through all rows, or through all of a customer, is a slow one. MySQL keeps statistics by itself and is given them here; SQLite has
 * none.
 */
export function plansSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  const operator = person('operator', BIG);
  const owner = person('user');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
    await fill(registry.dataSource, owner.principal.userId);
  }, 120_000);
  afterAll(() => registry.stop());

  /** The statements of one page, and of the page after it, with their plans. */
  async function plansOf(who: Person, path: `/${string}`) {
    const { statements, result } = await statementsDuring(registry, async () => {
      const first = await registry.call(who, `GET ${path}limit=10`);
      const cursor = first.body.nextCursor;
      if (cursor !== null) await registry.call(who, `GET ${path}limit=10&cursor=${cursor}`);
      return first;
    });
    expect({ path, status: result.status }).toEqual({ path, status: 200 });
    expect(statements.length).toBeGreaterThan(0);
    const asked = statements.filter(({ sql }) => !CREDENTIALS_THAT_END.test(sql));
    return Promise.all(asked.map((statement) => explained(registry.dataSource, statement)));
  }

  /** As no scan, and the rows of this table are found by this index. */
  async function expectFoundBy(who: Person, path: `/${string}`, table: string, index: RegExp): Promise<void> {
    await expectSearches(who, path);
    for (const { sql, text } of await plansOf(who, path)) {
      if (new RegExp(`FROM .${table}.`).test(sql)) {
        expect({ path, text }).toEqual({ path, text: expect.stringMatching(index) });
      }
    }
  }

  async function expectNoScan(who: Person, path: `/${string}`): Promise<void> {
    for (const { sql, text, scans } of await plansOf(who, path)) {
      expect({ path, sql, text, scans }).toEqual({ path, sql, text, scans: [] });
    }
  }

  /** As no scan; nor does any statement walk along a whole index. */
  async function expectSearches(who: Person, path: `/${string}`): Promise<void> {
    for (const { sql, text, scans, walks } of await plansOf(who, path)) {
      expect({ path, sql, text, scans, walks }).toEqual({ path, sql, text, scans: [], walks: [] });
    }
  }

  const sorts = ['createdAt', '-createdAt', 'name', '-name'];
  const inEveryOrder = (filters: string[]) => filters.flatMap((filter) => sorts.map((sort) => [filter, sort] as const));

  const few = [
    'kind=agent',
    'state=provisioned',
    `profile=${RARE}`,
    'label=rare',
    'q=sensor-7777',
    'serial=SN-77',
    'macAddress=AABBCC',
    `master=${HUB}`,
    'label=rare&kind=agent',
    'q=sensor-7777&state=created',
    `profile=${RARE}&kind=agent`,
    'label=all&q=sensor-7777',
  ];
  test.each(inEveryOrder(few))(
    'few of all devices, %s by %s, are found by an index of their own',
    async (filter, sort) => {
      await expectSearches(admin, `/api/devices?${filter}&sort=${sort}&`);
    },
  );
  test.each(inEveryOrder(['', ...few]))(
    'of a customer with nearly all devices, %s by %s is read by an index',
    async (filter, sort) => {
      await expectSearches(operator, `/api/devices?${filter}&sort=${sort}&`);
      await expectSearches(admin, `/api/devices?customer=${BIG}&${filter}&sort=${sort}&`);
    },
  );

  const nearlyAll = [
    '',
    'kind=direct',
    'state=created',
    `profile=${USUAL}`,
    'label=all',
    'q=sensor',
    'kind=direct&q=sensor',
  ];
  test.each(inEveryOrder(nearlyAll))(
    'nearly all devices, %s by %s, are walked along the order: ten of the first few already have it, so the page is full at once',
    async (filter, sort) => {
      await expectNoScan(admin, `/api/devices?${filter}&sort=${sort}&`);
      await expectNoScan(operator, `/api/devices?${filter}&sort=${sort}&`);
    },
  );

  test.each(inEveryOrder(['', 'kind=gateway', 'label=all', 'q=sensor']))(
    'of a user, %s by %s is found by what they own and what is shared with them',
    async (filter, sort) => {
      for (const { sql, text, walks, scans } of await plansOf(owner, `/api/devices?${filter}&sort=${sort}&`)) {
        expect({ sql, text, scans, walks }).toEqual({ sql, text, scans: [], walks: [] });
        expect(text).toMatch(/ix_device_people_user/);
      }
    },
  );

  test.each(inEveryOrder([`customer=${SMALL}`, `customer=${SMALL}&label=rare`, `owner=${owner.principal.userId}`]))(
    'devices by %s in the order of %s are read by an index that has the order',
    async (filter, sort) => {
      await expectSearches(admin, `/api/devices?${filter}&sort=${sort}&`);
    },
  );

  const ofAssets = [
    `customer=${BIG}`,
    `customer=${SMALL}`,
    `profile=${RARE}`,
    `customer=${BIG}&profile=${RARE}`,
    `parent=${HOUSE}`,
    'q=asset-77',
    `customer=${SMALL}&q=asset-77`,
  ];
  test.each(inEveryOrder(ofAssets))('assets by %s in the order of %s are found by an index', async (filter, sort) => {
    await expectSearches(admin, `/api/assets?${filter}&sort=${sort}&`);
  });
  test.each(inEveryOrder(['', `profile=${USUAL}`]))(
    'nearly all assets, %s by %s, are walked along the order: the page is full at once',
    async (filter, sort) => {
      await expectNoScan(admin, `/api/assets?${filter}&sort=${sort}&`);
      await expectSearches(operator, `/api/assets?${filter}&sort=${sort}&`);
    },
  );

  test.each([
    `/api/relations?from=${HOUSE}&`,
    `/api/relations?to=${HOUSE}&`,
    `/api/relations?from=${HOUSE}&type=Contains&`,
    '/api/relations?type=Rare&',
    `/api/assets/${HOUSE}/relations?`,
    `/api/assets/${HOUSE}/relations?direction=to&`,
  ] as const)('%s is found by an index', async (path) => {
    await expectSearches(admin, path);
    await expectSearches(operator, path);
  });
  test('all relations are walked along the order: the page is full at once', async () => {
    await expectNoScan(admin, '/api/relations?');
    await expectSearches(operator, '/api/relations?');
  });
  test('the tree of a house asks by index, however many devices there are in it', async () => {
    const { statements } = await statementsDuring(registry, () =>
      registry.call(operator, `GET /api/assets/tree?root=${HOUSE}&devices=true`),
    );
    for (const statement of statements) {
      const { sql, text, scans, walks } = await explained(registry.dataSource, statement);
      expect({ sql, text, scans, walks }).toEqual({ sql, text, scans: [], walks: [] });
    }
  });

  const ofAudit = [
    `customer=${BIG}`,
    `customer=${SMALL}`,
    `subject=${HOUSE}`,
    `actor=${ACTOR}`,
    'action=device.deleted',
    `customer=${BIG}&action=device.deleted`,
    `customer=${BIG}&actor=${ACTOR}`,
    `subject=${HOUSE}&action=device.deleted`,
    'from=1700000000000&to=1700000001000',
    `customer=${BIG}&from=1700000000000`,
  ];
  test.each(ofAudit)('the audit trail by %s is found by an index', async (filter) => {
    await expectSearches(admin, `/api/audit?${filter}&`);
    await expectSearches(operator, `/api/audit?${filter}&`);
  });
  test.each(['', 'action=device.updated'])(
    'the newest of the whole audit trail, %s, are walked along the order: the page is full at once',
    async (filter) => {
      await expectNoScan(admin, `/api/audit?${filter}&`);
      await expectSearches(operator, `/api/audit?${filter}&`);
    },
  );

  test.each<[path: `/${string}`, table: string, index: RegExp]>([
    [`/api/devices?owner=${owner.principal.userId}&sort=name&`, 'devices', /ix_devices_owner/],
    ['/api/devices?serial=SN-77&', 'devices', /ix_devices_serial/],
    ['/api/devices?serial=SN-77&sort=name&', 'devices', /ix_devices_serial/],
    ['/api/devices?macAddress=AABBCC&sort=name&', 'devices', /ix_devices_mac/],
    [`/api/devices?master=${HUB}&sort=name&`, 'devices', /ix_devices_master|uq_devices_master_name/],
    ['/api/devices?kind=agent&sort=name&', 'devices', /ix_devices_(customer_)?kind/],
    ['/api/devices?state=provisioned&kind=direct&sort=name&', 'devices', /ix_devices_(customer_)?(state|kind)/],
    [`/api/devices?profile=${RARE}&kind=direct&`, 'devices', /ix_devices_(customer_)?(profile|kind)/],
    [`/api/relations?from=${HOUSE}&`, 'relations', /relations_from/],
    [`/api/relations?from=${HOUSE}&type=Contains&`, 'relations', /relations_from/],
    ['/api/relations?type=Rare&', 'relations', /ix_relations_customer_type|ix_relations_type/],
    [`/api/audit?subject=${HOUSE}&`, 'audit_entries', /ix_audit_entries_subject/],
    [`/api/audit?subject=${HOUSE}&action=device.deleted&`, 'audit_entries', /ix_audit_entries_subject/],
    [`/api/audit?actor=${ACTOR}&`, 'audit_entries', /ix_audit_entries_(customer_)?actor/],
    [`/api/audit?actor=${ACTOR}&action=device.updated&`, 'audit_entries', /ix_audit_entries_(customer_)?actor/],
    ['/api/audit?action=device.deleted&', 'audit_entries', /ix_audit_entries_customer_action/],
  ])('an operator of nearly everything asks for %s, and finds %s by %s', async (path, table, index) => {
    await expectFoundBy(operator, path, table, index);
  });

  test('who has what of a device is found by index', async () => {
    const { body } = await registry.call(owner, 'GET /api/devices?limit=1');
    await expectSearches(admin, `/api/devices/${body.items[0]?.id ?? ''}/shares?`);
  });
}

/** Rows written past the API, a thousand a statement. */
async function insert(dataSource: DataSource, table: string, rows: Record<string, unknown>[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const marks = `(${columns.map(() => '?').join(', ')})`;
  for (let from = 0; from < rows.length; from += 1_000) {
    const some = rows.slice(from, from + 1_000);
    await dataSource.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${some.map(() => marks).join(', ')}`,
      some.flatMap((row) => columns.map((column) => row[column])),
    );
  }
}

const timeOf = (i: number): Date => new Date(1_700_000_000_000 + i * 1_000);
const times = (i: number) => ({ created_at: timeOf(i), updated_at: timeOf(i) });
const numbers = Array.from({ length: ROWS }, (_, i) => i);
const customerOf = (i: number): string => (i % 20 === 0 ? SMALL : BIG);
const profileOf = (i: number): string => (i % 2_000 === 9 ? RARE : USUAL);

async function fill(dataSource: DataSource, ownerId: string): Promise<void> {
  const named = (name: string) => ({ name, sort_name: name, ...times(0) });
  await insert(dataSource, 'customers', [
    { id: BIG, number: 'big', ...named('Big') },
    { id: SMALL, number: 'small', ...named('Small') },
  ]);
  for (const table of ['device_profiles', 'asset_profiles']) {
    await insert(dataSource, table, [
      { id: USUAL, attributes: '{}', ...named('usual') },
      { id: RARE, attributes: '{}', ...named('rare') },
    ]);
  }
  const devices = numbers.map((i) => ({
    id: i === 0 ? HUB : randomUUID(),
    name: `sensor-${String((i * 7_919) % ROWS)}`,
    sort_name: `sensor-${String((i * 7_919) % ROWS)}`,
    kind: i % 4_000 === 7 ? 'agent' : i % 100 === 0 ? 'gateway' : 'direct',
    state: i % 4_000 === 11 ? 'provisioned' : 'created',
    customer_id: customerOf(i),
    customer_scope: customerOf(i),
    profile_id: profileOf(i),
    master_id: i % 4_000 === 13 ? HUB : null,
    owner_id: i % 400 === 17 ? ownerId : null,
    serial: `SN-${String(i)}`,
    mac_address: i === 23 ? 'AA:BB:CC' : null,
    labels: '[]',
    attributes: '{}',
    ...times(i),
  }));
  await insert(dataSource, 'devices', devices);
  await insert(
    dataSource,
    'device_labels',
    devices.flatMap(({ id: device_id }, i) => [
      { device_id, label: 'all' },
      ...(i % 4_000 === 7 ? [{ device_id, label: 'rare' }] : []),
    ]),
  );
  await insert(
    dataSource,
    'device_terms',
    devices.flatMap(({ id: device_id, name, serial }) =>
      ['sensor', name, serial.toLowerCase()].map((term) => ({ device_id, term })),
    ),
  );
  await insert(
    dataSource,
    'device_people',
    devices.flatMap(({ id: device_id, owner_id }) => [
      { device_id, user_id: randomUUID(), access: 'read', created_at: timeOf(0) },
      ...(owner_id === null ? [] : [{ device_id, user_id: owner_id, access: 'owner', created_at: timeOf(0) }]),
    ]),
  );
  const assets = numbers.map((i) => ({
    id: i === 1 ? HOUSE : uuid7(timeOf(i).getTime()),
    name: `asset-${String(i)}`,
    sort_name: `asset-${String(i)}`,
    profile_id: profileOf(i),
    customer_id: customerOf(i),
    attributes: '{}',
    ...times(i),
  }));
  await insert(dataSource, 'assets', assets);
  const relation = (i: number, from_id: string | undefined, type: string) => ({
    id: uuid7(timeOf(i).getTime()),
    from_id,
    type,
    customer_id: customerOf(i),
    created_at: timeOf(i),
  });
  await insert(
    dataSource,
    'relations',
    devices.map(({ id }, i) => ({
      ...relation(i, i % 4_000 === 19 ? HOUSE : assets[(i % 500) * 10 + 3]?.id, i % 4_000 === 21 ? 'Rare' : 'Contains'),
      to_id: id,
      to_device_id: id,
    })),
  );
  await insert(
    dataSource,
    'relations',
    [31, 32, 33].map((i) => ({ ...relation(i, HOUSE, 'Contains'), to_id: assets[i]?.id, to_asset_id: assets[i]?.id })),
  );
  await insert(
    dataSource,
    'audit_entries',
    numbers.map((i) => ({
      id: uuid7(timeOf(i).getTime()),
      at: timeOf(i),
      actor_kind: 'user',
      actor_id: i % 4_000 === 5 ? ACTOR : USUAL,
      action: i % 4_000 === 3 ? 'device.deleted' : 'device.updated',
      subject_kind: 'device',
      subject_id: i % 4_000 === 3 ? HOUSE : devices[i % 5_000]?.id,
      customer_id: customerOf(i),
    })),
  );
  if (dataSource.options.type !== 'mysql') return;
  const tables = 'devices, device_labels, device_terms, device_people, assets, relations, audit_entries';
  await dataSource.query(`ANALYZE TABLE ${tables}`);
}
