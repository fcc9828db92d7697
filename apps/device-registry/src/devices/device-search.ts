import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { Page } from '#contracts';
import { keysetPage, narrowToNext, type Order } from '#sql';
import type { DeviceEntity } from './device.entity.ts';
import { searchedRanges, type TermRange } from './search-terms.ts';

/** Devices that are found first and sorted then; of more, the list is walked and each is asked (decision 012). */
const FEW = 20_000;
/** How far a list is walked before the devices are found and sorted after all. */
const WALK = 20_000;

/** What a device has to have: a label, or a term within one of the ranges. */
export interface Membership {
  table: 'device_labels' | 'device_terms';
  column: 'label' | 'term';
  /** Half-open, in the order of code points. */
  ranges: TermRange[];
}

/** Every word of a search and a label, each a membership. */
export const membershipsOf = (q: string | undefined, label: string | undefined): Membership[] => [
  ...(q === undefined ? [] : searchedRanges(q)).map(
    (ranges): Membership => ({ table: 'device_terms', column: 'term', ranges }),
  ),
  ...(label === undefined
    ? []
    : [{ table: 'device_labels', column: 'label', ranges: [{ from: label, to: `${label}\0` }] } as const]),
];

/**
 * One page of the devices of `narrowed` that have all of it, by whichever way is the quicker one: finding the devices that have the
 * rarest of it and sorting those, or walking the list in its order and asking of each.
 */
export async function searchPage(
  dataSource: DataSource,
  narrowed: () => SelectQueryBuilder<DeviceEntity>,
  memberships: readonly Membership[],
  order: Order<DeviceEntity>,
  page: { cursor?: string | undefined; limit: number },
): Promise<Page<DeviceEntity>> {
  const [rarest, ...others] = await byRarity(dataSource, memberships);
  if (!rarest) return keysetPage(narrowed(), order, page);
  if (rarest.devices > FEW) {
    const walked = asking(narrowed(), memberships);
    const isWhole = await narrowToNext(walked, narrowed(), order, page.cursor, WALK);
    const found = await keysetPage(walked, order, page);
    if (isWhole || found.nextCursor !== null) return found;
  }
  const query = asking(finding(narrowed(), rarest.membership), others.map(({ membership }) => membership), 1);
  return keysetPage(query, order, page);
}

/** The memberships with how many devices have each, counted as far as it matters, the rarest first. */
async function byRarity(
  dataSource: DataSource,
  memberships: readonly Membership[],
): Promise<{ membership: Membership; devices: number }[]> {
  const counted = [];
  for (const membership of memberships) {
    const { sql, parameters } = within(membership);
    const [row] = await dataSource.query<{ devices: number | string }[]>(
      `SELECT COUNT(*) AS devices FROM (SELECT 1 FROM ${membership.table} m WHERE ${sql} LIMIT ${String(FEW + 1)}) some`,
      parameters,
    );
    counted.push({ membership, devices: Number(row?.devices) });
  }
  return counted.sort((one, other) => one.devices - other.devices);
}

function within({ column, ranges }: Membership): { sql: string; parameters: string[] } {
  const sql = ranges.map(() => `(m.${column} >= ? AND m.${column} < ?)`).join(' OR ');
  return { sql: `(${sql})`, parameters: ranges.flatMap(({ from, to }) => [from, to]) };
}

/** Narrows to the devices that have it, beginning with those. */
const finding = (query: SelectQueryBuilder<DeviceEntity>, membership: Membership): SelectQueryBuilder<DeviceEntity> => {
  const { sql, parameters } = named(membership, 0);
  return query.andWhere(`device.id IN (SELECT m.device_id FROM ${membership.table} m WHERE ${sql})`, parameters);
};

/** Narrows to the devices that have them, asking of each device; without the hint MySQL would find all that have them first. */
function asking(
  query: SelectQueryBuilder<DeviceEntity>,
  memberships: readonly Membership[],
  firstIndex = 0,
): SelectQueryBuilder<DeviceEntity> {
  for (const [index, membership] of memberships.entries()) {
    const { sql, parameters } = named(membership, firstIndex + index);
    query.andWhere(
      `EXISTS (SELECT /*+ NO_SEMIJOIN() */ 1 FROM ${membership.table} m WHERE m.device_id = device.id AND ${sql})`,
      parameters,
    );
  }
  return query;
}

/** As a condition with named parameters, which are others for each index. */
function named({ column, ranges }: Membership, index: number): { sql: string; parameters: Record<string, string> } {
  const parameters: Record<string, string> = {};
  const parts = ranges.map(({ from, to }, spelling) => {
    const [low, high] = [`from_${String(index)}_${String(spelling)}`, `to_${String(index)}_${String(spelling)}`];
    Object.assign(parameters, { [low]: from, [high]: to });
    return `(m.${column} >= :${low} AND m.${column} < :${high})`;
  });
  return { sql: `(${parts.join(' OR ')})`, parameters };
}
