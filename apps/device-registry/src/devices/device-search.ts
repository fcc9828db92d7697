import type { DataSource, SelectQueryBuilder } from 'typeorm';
import type { Page } from '#contracts';
import { keysetPage, narrowToNext, type Order } from '#sql';
import type { CustomerBy } from './device-query.ts';
import type { DeviceEntity } from './device.entity.ts';
import type { DeviceQuery } from './device.schemas.ts';
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

/** What a device has to have: a label, a word, or a kind, state or profile. */
export type Criterion = Membership | ColumnValue;

/** A label, or a term within one of the ranges. */
interface Membership {
  table: 'device_labels' | 'device_terms';
  column: 'label' | 'term';
  /** Half-open, in the order of code points. */
  ranges: TermRange[];
}

/** A value that few devices may have, or nearly all. */
interface ColumnValue {
  property: 'kind' | 'state' | 'profileId';
  value: string;
}

type Criteria = Partial<Pick<DeviceQuery, 'q' | 'label' | 'kind' | 'state' | 'profile'>>;

/** Every word of a search, a label, a kind, a state and a profile, each a criterion. */
export const criteriaOf = ({ q, label, kind, state, profile }: Criteria): Criterion[] => [
  ...(q === undefined ? [] : searchedRanges(q).map(ofTerm)),
  ...(label === undefined ? [] : [ofLabel(label)]),
  ...ofColumn('profileId', profile),
  ...ofColumn('state', state),
  ...ofColumn('kind', kind),
];

const ofTerm = (ranges: TermRange[]): Criterion => ({ table: 'device_terms', column: 'term', ranges });
const ofLabel = (label: string): Criterion => ({
  table: 'device_labels',
  column: 'label',
  ranges: [{ from: label, to: `${label}${LOWEST}` }],
});
const ofColumn = (property: ColumnValue['property'], value: string | undefined): Criterion[] =>
  value === undefined ? [] : [{ property, value }];

/**
 * One page of the devices of `narrowed` that have all of it, by whichever way is the quicker one: finding the devices that have the
 * rarest of it and sorting those, or walking the list in its order and asking of each.
 */
export async function searchPage(
  dataSource: DataSource,
  narrowed: (customerBy: CustomerBy) => SelectQueryBuilder<DeviceEntity>,
  criteria: readonly Criterion[],
  order: Order<DeviceEntity>,
  page: { cursor?: string | undefined; limit: number },
  { few, walk }: SearchBounds = BOUNDS,
): Promise<Page<DeviceEntity>> {
  const list = () => narrowed('index');
  const [first] = criteria;
  if (!first) return keysetPage(list(), order, page);
  if (criteria.length === 1 && hasOwnOrder(first, order)) return keysetPage(finding(list(), first), order, page);
  const [rarest, ...others] = await byRarity(dataSource, list, criteria, few + 1);
  if (!rarest) return keysetPage(list(), order, page);
  if (rarest.devices > few) {
    const walked = asking(list(), criteria);
    const isWhole = await narrowToNext(walked, list(), order, page.cursor, walk);
    const found = await keysetPage(walked, order, page);
    if (isWhole || found.nextCursor !== null) return found;
  }
  const { criterion } = rarest;
  const found = finding(narrowed('property' in criterion ? 'index' : 'asking'), criterion);
  return sortedPage(
    found,
    others.map((other) => other.criterion),
    order,
    page,
  );
}

/** One page of the few devices that `found` finds: those that meet all criteria, sorted. */
export const sortedPage = (
  found: SelectQueryBuilder<DeviceEntity>,
  criteria: readonly Criterion[],
  order: Order<DeviceEntity>,
  page: { cursor?: string | undefined; limit: number },
): Promise<Page<DeviceEntity>> => keysetPage(asking(found, criteria, 1), { ...order, sorted: true }, page);

/** Columns have an index of their own in the order of creation: a page is read from it, however many devices there are. */
const hasOwnOrder = (criterion: Criterion, { property }: Order<DeviceEntity>): boolean =>
  'property' in criterion && property === 'createdAt';

/** The criteria with how many devices meet each, counted up to a bound, the rarest first. */
async function byRarity(
  dataSource: DataSource,
  narrowed: () => SelectQueryBuilder<DeviceEntity>,
  criteria: readonly Criterion[],
  bound: number,
): Promise<{ criterion: Criterion; devices: number }[]> {
  const counted = [];
  for (const criterion of criteria) {
    const { sql, parameters } = meeting(narrowed, criterion);
    const [row] = await dataSource.query<{ devices: number | string }[]>(
      `SELECT COUNT(*) AS devices FROM (${sql} LIMIT ${String(bound)}) some`,
      parameters,
    );
    counted.push({ criterion, devices: Number(row?.devices) });
  }
  return counted.sort((one, other) => one.devices - other.devices);
}

/** A statement with a row for each device that meets it: of all devices those with a word or label, of a list those with a value. */
function meeting(
  narrowed: () => SelectQueryBuilder<DeviceEntity>,
  criterion: Criterion,
): { sql: string; parameters: unknown[] } {
  if ('property' in criterion) {
    const [sql, parameters] = finding(narrowed(), criterion).select('1').getQueryAndParameters();
    return { sql, parameters };
  }
  const { table, column, ranges } = criterion;
  const sql = ranges.map(() => `(m.${column} >= ? AND m.${column} < ?)`).join(' OR ');
  return {
    sql: `SELECT 1 FROM ${table} m WHERE (${sql})`,
    parameters: ranges.flatMap(({ from, to }) => [from, to]),
  };
}

/** Narrows to the devices that meet it, beginning with those. */
function finding(query: SelectQueryBuilder<DeviceEntity>, criterion: Criterion): SelectQueryBuilder<DeviceEntity> {
  if ('property' in criterion) {
    const { property, value } = criterion;
    return query.andWhere(`device.${property} = :${property}`, { [property]: value });
  }
  const { sql, parameters } = named(criterion, 0);
  return query.andWhere(`device.id IN (SELECT m.device_id FROM ${criterion.table} m WHERE ${sql})`, parameters);
}

/**
 * Narrows to the devices that meet them, asking of each device: without the hint MySQL would find all that have a word first, and
 * without the function both databases all that have a value.
 */
function asking(
  query: SelectQueryBuilder<DeviceEntity>,
  criteria: readonly Criterion[],
  firstIndex = 0,
): SelectQueryBuilder<DeviceEntity> {
  for (const [index, criterion] of criteria.entries()) {
    if ('property' in criterion) {
      const { property, value } = criterion;
      query.andWhere(`COALESCE(device.${property}, '') = :${property}`, { [property]: value });
      continue;
    }
    const { sql, parameters } = named(criterion, firstIndex + index);
    query.andWhere(
      `EXISTS (SELECT /*+ NO_SEMIJOIN() */ 1 FROM ${criterion.table} m WHERE m.device_id = device.id AND ${sql})`,
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
