import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ImportOutcome, ImportRow, UserPrincipal } from '#contracts';
import { uuid7 } from '#platform';
import { AuditEntryEntity } from '../src/audit/audit-entry.entity.ts';
import { DeviceEntity } from '../src/devices/device.entity.ts';
import { DevicePersonEntity } from '../src/people/device-person.entity.ts';
import { DeviceProfileEntity } from '../src/profiles/device-profile.entity.ts';
import { person, startRegistry, type Json, type StartedRegistry } from './started-registry.ts';

/** What the registry promises to imports. */
export function importsSuite(database: () => Promise<string>): void {
  const admin = person('admin');
  let registry: StartedRegistry;
  beforeAll(async () => {
    registry = await startRegistry(await database());
  });
  afterAll(() => registry.stop());

  type Row = Omit<ImportRow, 'line'>;
  const newMac = () =>
    randomBytes(6)
      .toString('hex')
      .toUpperCase()
      .replace(/..(?=.)/g, '$&:');
  const newCustomer = async (deviceLimit: number | null = null): Promise<Json> =>
    (await registry.call(admin, 'POST /api/customers', { body: { number: randomUUID(), name: 'A', deviceLimit } }))
      .body;
  const customerNow = async (id: string): Promise<Json> =>
    (await registry.call(admin, `GET /api/customers/${id}`)).body;
  const run = async (
    rows: Row[],
    { user = admin.principal, jobId = uuid7(), from = 2 }: { user?: UserPrincipal; jobId?: string; from?: number } = {},
  ): Promise<ImportOutcome[]> => {
    const lines = rows.map((row, index) => ({ ...row, line: from + index }));
    return (await registry.rpc.call('registry.devices.import', { jobId, user, rows: lines }, 60_000)).outcomes;
  };
  const kindsOf = (outcomes: ImportOutcome[]) => outcomes.map(({ outcome, code }) => code ?? outcome);
  const devicesOf = async (customer: string): Promise<Json[]> =>
    (await registry.call(admin, `GET /api/devices?customer=${customer}&limit=1000`)).body.items;
  const newProfile = async (name: string): Promise<string> => {
    const id = randomUUID();
    const time = { createdAt: new Date(), updatedAt: new Date() };
    const row = { id, name, sortName: name.toLowerCase(), description: null, attributes: {}, version: 1, ...time };
    await registry.dataSource.manager.insert(DeviceProfileEntity, row);
    return id;
  };

  test('a row becomes the device that it describes, found by all that devices are found by', async () => {
    const { id: customer, number } = await newCustomer();
    const name = `Boiler-${randomUUID()}`;
    const profile = await newProfile(name);
    const mac = newMac();
    const attributes = { floor: 3, tags: ['a', { b: null }] };
    const [outcome] = await run([
      {
        name: '  Pump 7 ',
        macAddress: mac.toLowerCase().replaceAll(':', '-'),
        serial: 'S-1',
        customer: number,
        profile: name.toUpperCase(),
        labels: ['hall', 'hall', 'blue'],
        kind: 'gateway',
        attributes,
      },
    ]);
    expect(outcome).toEqual({ line: 2, outcome: 'created' });
    const [device] = await devicesOf(customer);
    expect(device).toMatchObject({
      name: 'Pump 7',
      macAddress: mac,
      serial: 'S-1',
      customer,
      profile,
      labels: ['hall', 'blue'],
      kind: 'gateway',
      attributes,
      state: 'created',
      enabled: true,
      owner: null,
      version: 1,
    });
    for (const filter of ['q=pump', `q=${mac.toLowerCase()}`, 'q=s-1', 'label=blue', `profile=${profile}`]) {
      const { items } = (await registry.call(admin, `GET /api/devices?customer=${customer}&${filter}`)).body;
      expect([filter, items.map(({ id }) => id)]).toEqual([filter, [device?.id]]);
    }
    expect((await customerNow(customer)).deviceCount).toBe(1);
  });

  test('each device is in the audit trail as if somebody had made it by itself, and nobody is told of a million', async () => {
    const { id: customer } = await newCustomer();
    await run([{ name: 'A' }, { name: 'B' }].map((row) => ({ ...row, customer })));
    const ids = (await devicesOf(customer)).map(({ id }) => id).sort();
    const entries = await registry.dataSource.manager.findBy(AuditEntryEntity, {
      customerId: customer,
      subjectKind: 'device',
    });
    expect(entries.map(({ subjectId }) => subjectId).sort()).toEqual(ids);
    expect(entries[0]).toMatchObject({ action: 'device.created', actorKind: 'user', actorId: admin.principal.userId });
    const told = registry.heard('registry.device.changed').filter(({ device }) => device.customerId === customer);
    expect(told).toEqual([]);
  });

  test('the same rows again change nothing, by MAC address, serial and name', async () => {
    const { id: customer } = await newCustomer();
    const rows: Row[] = [
      { name: 'with MAC', macAddress: newMac(), labels: ['x', 'y'], attributes: { b: 1, a: { d: 2, c: 3 } }, customer },
      { name: 'with serial', serial: 'S-2', customer },
      { name: 'by name', customer },
    ];
    expect(kindsOf(await run(rows))).toEqual(['created', 'created', 'created']);
    const before = await devicesOf(customer);
    const again = rows.map((row) => ({ ...row, labels: row.labels?.toReversed() }));
    expect(kindsOf(await run(again))).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(await devicesOf(customer)).toEqual(before);
    expect((await customerNow(customer)).deviceCount).toBe(3);
  });

  test('a device that is there and differs is told by its fields, and stays as it is', async () => {
    const { id: customer } = await newCustomer();
    const macAddress = newMac();
    await registry.call(admin, 'POST /api/devices', { body: { name: 'Mine', macAddress, customer, labels: ['a'] } });
    const [named, labelled, less] = await run([
      { name: 'Other', macAddress, customer, serial: 'S-3' },
      { name: 'Mine', macAddress, customer, labels: ['b'] },
      { name: 'Mine', macAddress, customer },
    ]);
    expect(named).toMatchObject({ outcome: 'failed', code: 'DEVICE_EXISTS', field: 'name' });
    expect(named?.message).toContain('another name, serial');
    expect(labelled).toMatchObject({ outcome: 'failed', code: 'DEVICE_EXISTS', field: 'labels' });
    expect(less).toEqual({ line: 4, outcome: 'unchanged' });
    expect((await devicesOf(customer)).map(({ name }) => name)).toEqual(['Mine']);
  });

  test('a device twice in the file is made once', async () => {
    const { id: customer } = await newCustomer();
    const macAddress = newMac();
    const outcomes = await run([
      { name: 'A', macAddress, customer },
      { name: 'A', macAddress: macAddress.toLowerCase(), customer },
      { name: 'B', macAddress, customer },
      { name: 'by name', customer },
      { name: 'by name', customer, kind: 'gateway' },
    ]);
    expect(kindsOf(outcomes)).toEqual(['created', 'unchanged', 'DEVICE_EXISTS', 'created', 'DEVICE_EXISTS']);
    expect(outcomes[4]?.field).toBe('kind');
    expect(await devicesOf(customer)).toHaveLength(2);
  });

  test('a batch that is done again counts as it did, also with a device twice in the file', async () => {
    const { id: customer } = await newCustomer();
    const macAddress = newMac();
    const jobId = uuid7();
    const rows: Row[] = [
      { name: 'A', macAddress, customer },
      { name: 'A', macAddress, customer },
      { name: 'B', customer },
      { name: '', customer },
    ];
    const first = await run(rows, { jobId });
    expect(kindsOf(first)).toEqual(['created', 'unchanged', 'created', 'INVALID_INPUT']);
    const [device] = await devicesOf(customer);
    await registry.call(admin, `PATCH /api/devices/${device?.id ?? ''}`, {
      body: { macAddress: null, name: 'Changed' },
    });
    expect((await run(rows.toSpliced(1, 1), { jobId, from: 2 })).at(0)).toEqual(first[0]);
    const later = await run([{ name: 'B', customer }], { jobId, from: 100 });
    expect(kindsOf(later)).toEqual(['unchanged']);
    expect((await customerNow(customer)).deviceCount).toBe((await devicesOf(customer)).length);
  });

  test.each<[string, Row, string, string]>([
    ['no name', {}, 'INVALID_INPUT', 'name'],
    ['a name that is too long', { name: 'n'.repeat(129) }, 'INVALID_INPUT', 'name'],
    ['a name of two lines', { name: 'a\nb' }, 'INVALID_INPUT', 'name'],
    ['a MAC address that is none', { name: 'n', macAddress: 'XX' }, 'INVALID_INPUT', 'macAddress'],
    ['a MAC address of 21 octets', { name: 'n', macAddress: 'CE'.repeat(21) }, 'INVALID_INPUT', 'macAddress'],
    ['a kind that is none', { name: 'n', kind: 'toaster' }, 'INVALID_INPUT', 'kind'],
    ['33 labels', { name: 'n', labels: Array.from({ length: 33 }, String) }, 'INVALID_INPUT', 'labels'],
    ['an empty label', { name: 'n', labels: ['a', ''] }, 'INVALID_INPUT', 'labels'],
    ['attributes of 17 KB', { name: 'n', attributes: { a: 'x'.repeat(17_000) } }, 'INVALID_INPUT', 'attributes'],
    ['an unknown customer', { name: 'n', customer: 'nobody' }, 'CUSTOMER_UNKNOWN', 'customer'],
    ['SQL for a customer', { name: 'n', customer: `' OR '1'='1` }, 'CUSTOMER_UNKNOWN', 'customer'],
    ['an unknown profile', { name: 'n', profile: 'nothing' }, 'PROFILE_NOT_FOUND', 'profile'],
  ])('refuses %s by its field, and makes the others', async (_what, row, code, field) => {
    const good = { name: randomUUID() };
    const outcomes = await run([good, row, { name: randomUUID() }]);
    expect(kindsOf(outcomes)).toEqual(['created', code, 'created']);
    expect(outcomes[1]).toMatchObject({ line: 3, outcome: 'failed', field });
    expect(outcomes[1]?.message).toEqual(expect.any(String));
  });

  test('an operator imports for their own customer alone, and learns nothing of others', async () => {
    const [own, other] = [await newCustomer(), await newCustomer()];
    const user = person('operator', own.id).principal;
    const outcomes = await run(
      [
        { name: 'A' },
        { name: 'B', customer: own.number },
        { name: 'C', customer: other.id },
        { name: 'D', customer: 'x' },
      ],
      { user },
    );
    expect(kindsOf(outcomes)).toEqual(['created', 'created', 'CUSTOMER_UNKNOWN', 'CUSTOMER_UNKNOWN']);
    expect(outcomes[2]?.message).toBe(outcomes[3]?.message);
    expect(await devicesOf(own.id)).toHaveLength(2);
    expect(kindsOf(await run([{ name: 'A' }], { user: person('operator').principal }))).toEqual(['CUSTOMER_UNKNOWN']);
  });

  test('what a user imports is theirs', async () => {
    const { id: customer } = await newCustomer();
    const owner = person('user', customer);
    await run([{ name: 'A' }], { user: owner.principal });
    const { items } = (await registry.call(owner, 'GET /api/devices')).body;
    expect(items).toMatchObject([{ name: 'A', owner: owner.principal.userId, customer }]);
    const shares = await registry.dataSource.manager.findBy(DevicePersonEntity, { userId: owner.principal.userId });
    expect(shares).toMatchObject([{ deviceId: items[0]?.id, access: 'owner' }]);
  });

  test('as many as the customer may have, in the order of the file; the others and their doubles fail', async () => {
    const { id: customer } = await newCustomer(2);
    const outcomes = await run(
      [{ name: 'A' }, { name: 'A' }, { name: 'B' }, { name: 'C' }, { name: 'C' }, { name: 'D' }].map((row) => ({
        ...row,
        customer,
      })),
    );
    const reached = 'DEVICE_LIMIT_REACHED';
    expect(kindsOf(outcomes)).toEqual(['created', 'unchanged', 'created', reached, reached, reached]);
    expect(await customerNow(customer)).toMatchObject({ deviceCount: 2, deviceLimit: 2 });
    await registry.call(admin, `PATCH /api/customers/${customer}`, { body: { deviceLimit: 1 } });
    expect(
      kindsOf(
        await run([
          { name: 'E', customer },
          { name: 'A', customer },
        ]),
      ),
    ).toEqual([reached, 'unchanged']);
    expect((await customerNow(customer)).deviceCount).toBe(2);
  });

  test('imports and people at once neither exceed the limit nor make a device twice', async () => {
    const { id: customer } = await newCustomer(30);
    const macs = Array.from({ length: 60 }, newMac);
    const rows = (order: string[]) => order.map((macAddress) => ({ name: macAddress, macAddress, customer }));
    const made = Promise.all(
      macs
        .slice(0, 10)
        .map((macAddress) =>
          registry.call(admin, 'POST /api/devices', { body: { name: macAddress, macAddress, customer } }),
        ),
    );
    const imports = await Promise.all([run(rows(macs)), run(rows(macs.toReversed())), run(rows(macs))]);
    const created = (await made).filter(({ status }) => status === 201).length;
    const devices = await devicesOf(customer);
    const counted = imports.flat().filter(({ outcome }) => outcome === 'created').length + created;
    expect(devices).toHaveLength(30);
    expect(counted).toBe(30);
    expect(new Set(devices.map(({ macAddress }) => macAddress)).size).toBe(30);
    expect((await customerNow(customer)).deviceCount).toBe(30);
  });

  test('files are for provisioning to take: here they are no JSON', async () => {
    for (const type of ['text/csv', 'application/x-ndjson', 'application/jsonl']) {
      const reply = await registry.call(admin, 'POST /api/devices', { body: {}, headers: { 'Content-Type': type } });
      expect([type, reply.status, reply.body.code]).toEqual([type, 415, 'UNSUPPORTED_MEDIA_TYPE']);
      expect(reply.body.detail).toContain('"Content-Type: application/json"');
    }
  });

  test('a thousand rows of a thousand customers are one batch', async () => {
    const customers = await Promise.all(Array.from({ length: 150 }, () => newCustomer()));
    const rows = Array.from({ length: 1_000 }, (_, index) => ({
      name: String(index),
      macAddress: newMac(),
      customer: customers[index % 150]?.number ?? '',
      labels: ['a', 'b'],
    }));
    expect(new Set(kindsOf(await run(rows)))).toEqual(new Set(['created']));
    expect(new Set(kindsOf(await run(rows)))).toEqual(new Set(['unchanged']));
    const { manager } = registry.dataSource;
    expect(await manager.countBy(DeviceEntity, { customerId: customers[0]?.id ?? '' })).toBe(7);
  });
}
