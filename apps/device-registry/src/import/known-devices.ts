import { Between, Brackets, In, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import type { UserPrincipal } from '#contracts';
import { CustomerEntity } from '../customers/customer.entity.ts';
import { DeviceEntity } from '../devices/device.entity.ts';
import { mayPlaceWith } from '../devices/device-policy.ts';
import { DeviceProfileEntity } from '../profiles/device-profile.entity.ts';
import { macIdentity, type Candidate, type Named } from './import-row.ts';
import type { Known, KnownDevice } from './plan.ts';

/** Customers whose MAC addresses one query asks for: SQLite takes an expression that is nested 1,000 levels deep at most. */
const SCOPES_A_QUERY = 100;

const COMPARED = [
  'id',
  'name',
  'kind',
  'macAddress',
  'serial',
  'customerId',
  'customerScope',
  'profileId',
  'labels',
  'attributes',
  'identityKey',
] as const satisfies (keyof DeviceEntity)[];

const present = (texts: readonly (string | undefined)[]): string[] => [
  ...new Set(texts.filter((text) => text !== undefined)),
];

/** Customers by id, else by number; null for those that the user may not use as for those that are not there. */
export async function namedCustomers(
  manager: EntityManager,
  user: UserPrincipal,
  texts: readonly (string | undefined)[],
): Promise<Named> {
  const wanted = present(texts);
  if (wanted.length === 0) return () => null;
  const rows = await manager.find(CustomerEntity, {
    select: { id: true, number: true },
    where: [{ id: In(wanted) }, { number: In(wanted) }],
  });
  const ids = new Set(rows.map(({ id }) => id));
  const byNumber = new Map(rows.map(({ id, number }) => [number, id]));
  return (text) => {
    const id = ids.has(text) ? text : (byNumber.get(text) ?? null);
    return id !== null && mayPlaceWith(user, id) ? id : null;
  };
}

/** Device profiles by id, else by name in any case. */
export async function namedProfiles(manager: EntityManager, texts: readonly (string | undefined)[]): Promise<Named> {
  const wanted = present(texts);
  if (wanted.length === 0) return () => null;
  const rows = await manager.find(DeviceProfileEntity, {
    select: { id: true, sortName: true },
    where: [{ id: In(wanted) }, { sortName: In(wanted.map((text) => text.trim().toLowerCase())) }],
  });
  const ids = new Set(rows.map(({ id }) => id));
  const byName = new Map(rows.map(({ id, sortName }) => [sortName, id]));
  return (text) => (ids.has(text) ? text : (byName.get(text.trim().toLowerCase()) ?? null));
}

/** What is there of the devices that rows describe. */
export async function knownDevices(
  manager: EntityManager,
  candidates: readonly Candidate[],
  idOf: (line: number) => string,
): Promise<Known> {
  const keys = candidates.flatMap(({ identityKey }) => identityKey ?? []);
  const byKey = await ofKeys(manager, keys);
  const byMac = await ofMacs(manager, candidates);
  return {
    ids: await idsBetween(manager, candidates.map(({ line }) => idOf(line)).sort()),
    byIdentity: new Map([
      ...byKey.map((device) => [device.identityKey ?? '', device] as const),
      ...byMac.map((device) => [macIdentity(device.customerScope, device.macAddress ?? ''), device] as const),
    ]),
  };
}

/** The ids of lines of one import are next to each other, see {@link importedIds}: two of them say it all. */
async function idsBetween(manager: EntityManager, sorted: readonly string[]): Promise<ReadonlySet<string>> {
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first === undefined || last === undefined) return new Set();
  const rows = await manager.find(DeviceEntity, { select: { id: true }, where: { id: Between(first, last) } });
  return new Set(rows.map(({ id }) => id));
}

function ofKeys(manager: EntityManager, keys: string[]): Promise<KnownDevice[]> {
  if (keys.length === 0) return Promise.resolve([]);
  return compared(manager)
    .where({ identityKey: In(keys) })
    .getMany();
}

async function ofMacs(manager: EntityManager, candidates: readonly Candidate[]): Promise<KnownDevice[]> {
  const scopes = [...macsByScope(candidates)];
  const found: KnownDevice[] = [];
  for (let from = 0; from < scopes.length; from += SCOPES_A_QUERY) {
    const query = compared(manager);
    for (const [customerScope, macs] of scopes.slice(from, from + SCOPES_A_QUERY)) {
      query.orWhere(new Brackets((where) => where.where({ customerScope, macAddress: In(macs) })));
    }
    found.push(...(await query.getMany()));
  }
  return found;
}

function macsByScope(candidates: readonly Candidate[]): Map<string, string[]> {
  const scopes = new Map<string, string[]>();
  for (const { customerId, macAddress } of candidates) {
    if (macAddress === null) continue;
    const macs = scopes.get(customerId ?? '') ?? [];
    macs.push(macAddress);
    scopes.set(customerId ?? '', macs);
  }
  return scopes;
}

const compared = (manager: EntityManager): SelectQueryBuilder<DeviceEntity> =>
  manager.createQueryBuilder(DeviceEntity, 'device').select(COMPARED.map((property) => `device.${property}`));
