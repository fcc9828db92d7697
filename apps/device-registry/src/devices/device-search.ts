import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { Page } from '#contracts';
import { keysetPage, narrowToNext, type Order } from '#sql';
import type { DeviceEntity } from './device.entity.ts';
import { searchedRanges, type TermRange } from './search-terms.ts';

/** When which way is taken (decision 012). */
export interface SearchBounds {
  /** So many devices are found first and sorted then; of more, the list is walked and each is asked. */
  few: number;
  /** How far a list is walked before the devices are found and sorted after all. */
  walk: number;
}

const BOUNDS: SearchBounds = { few: 20_000, walk: 20_000 };

/** No label has a character below this one, so that between a label and it with this one there is no other. */
const LOWEST = '\u0001';

/** What a device has to have: a label, or a term within one of the ranges. */
export interface Membership {
  table: 'device_labels' | 'device_terms';
  column: 'label' | 'term';
  /** Half-open, in the order of code points. */
  ranges: TermRange[];
}

/** Every word of a search and a label, each a membership. */
export const membershipsOf = ({ q, label }: { q?: string | undefined; label?: string | undefined }): Membership[] => [
  ...(q === undefined ? [] : searchedRanges(q).map(ofTerm)),
  ...(label === undefined ? [] : [ofLabel(label)]),
];

const ofTerm = (ranges: TermRange[]): Membership => ({ table: 'device_terms', column: 'term', ranges });
const ofLabel = (label: string): Membership => ({
  table: 'device_labels',
  column: 'label',
  ranges: [{ from: label, to: `${label}${LOWEST}` }],
});

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
  { few, walk }: SearchBounds = BOUNDS,
): Promise<Page<DeviceEntity>> {
  const [rarest, ...others] = await byRarity(dataSource, memberships, few + 1);
  if (!rarest) return keysetPage(narrowed(), order, page);
  if (rarest.devices > few) {
    const walked = asking(narrowed(), memberships);
    const isWhole = await narrowToNext(walked, narrowed(), order, page.cursor, walk);
    const found = await keysetPage(walked, order, page);
    if (isWhole || found.nextCursor !== null) return found;
  }
  const query = asking(
    finding(narrowed(), rarest.membership),
    others.map(({ membership }) => membership),
    1,
  );
  return keysetPage(query, order, page);
}

/** The memberships with how many devices have each, counted up to a bound, the rarest first. */
async function byRarity(
  dataSource: DataSource,
  memberships: readonly Membership[],
  bound: number,
): Promise<{ membership: Membership; devices: number }[]> {
  const counted = [];
  for (const membership of memberships) {
    const { sql, parameters } = within(membership);
    const [row] = await dataSource.query<{ devices: number | string }[]>(
      `SELECT COUNT(*) AS devices FROM (SELECT 1 FROM ${membership.table} m WHERE ${sql} LIMIT ${String(bound)}) some`,
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
export const finding = (
  query: SelectQueryBuilder<DeviceEntity>,
  membership: Membership,
): SelectQueryBuilder<DeviceEntity> => {
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
