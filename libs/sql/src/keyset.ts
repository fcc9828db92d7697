import { z } from 'zod';
import { PageQuery, type Page } from '#contracts';
import { invalidInput } from '#platform';
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { decodeCursor, encodeCursor } from './cursor.ts';

/** Longest cursor, in characters: a name of 200 characters outside ASCII, encoded. */
const MAX_CURSOR = 2_048;

/** A list's query that can be sorted by these fields, `-` for descending; the first one is the default. */
export const listQuery = <F extends string>(...fields: [F, ...F[]]) =>
  PageQuery.extend({
    cursor: z.string().max(MAX_CURSOR).optional(),
    sort: z.enum(fields.flatMap((field) => [field, `-${field}` as const]) as [F, ...F[]]).default(fields[0] as never),
  });

/** How a list is sorted: by a property and then by id, or by id alone (which is the order of creation). */
export interface Order<T> {
  /** As the query says it. */
  sort: string;
  property: keyof T & string;
  descending: boolean;
  /** What is listed is found first, by other indexes than the order's, and sorted then. */
  sorted?: boolean;
}

/** The order that a `sort` asks for. */
export function orderOf<T>(sort: string, properties: Record<string, keyof T & string>): Order<T> {
  const descending = sort.startsWith('-');
  const property = properties[descending ? sort.slice(1) : sort];
  if (property === undefined) throw new Error(`no property to sort by ${sort}`);
  return { sort, property, descending };
}

/**
 * One page by keyset: what comes after the cursor's position, whatever was added before it meanwhile. The comparison is written
 * so that MySQL and SQLite both begin at the position in the index.
 */
export async function keysetPage<T extends ObjectLiteral & { id: string }>(
  query: SelectQueryBuilder<T>,
  order: Order<T>,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<T>> {
  const { sort, property } = order;
  const rows = await inOrder(query, order, cursor)
    .limit(limit + 1)
    .getMany();
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rows.length > limit && last ? encodeCursor(sort, positionOf(last, property)) : null;
  return { items, nextCursor };
}

/**
 * Narrows `query` to the next `rows` of a list after the cursor, however few of those it wants. `list` is all that it chooses from.
 * True if that is all there is.
 */
export async function narrowToNext<T extends ObjectLiteral & { id: string }>(
  query: SelectQueryBuilder<T>,
  list: SelectQueryBuilder<T>,
  order: Order<T>,
  cursor: string | undefined,
  rows: number,
): Promise<boolean> {
  const { property, descending } = order;
  const [end] = await inOrder(list, order, cursor)
    .select([`${list.alias}.id`, `${list.alias}.${property}`])
    .offset(rows)
    .limit(1)
    .getMany();
  if (!end) return true;
  const before = descending ? '>' : '<';
  const [column, id] = [`${query.alias}.${property}`, `${query.alias}.id`];
  query.andWhere(`${column} ${before}= :end AND (${column} ${before} :end OR ${id} ${before} :endId)`, {
    end: end[property],
    endId: end.id,
  });
  return false;
}

/** Before a column: the same value, which no index has (https://sqlite.org/optoverview.html, section 2). MySQL goes by statistics. */
const NOT_INDEXED = '+ ';

/** What comes after the cursor, in the list's order. */
function inOrder<T extends ObjectLiteral & { id: string }>(
  query: SelectQueryBuilder<T>,
  { sort, property, descending, sorted = false }: Order<T>,
  cursor: string | undefined,
): SelectQueryBuilder<T> {
  const { alias } = query;
  const beyond = descending ? '<' : '>';
  const direction = descending ? 'DESC' : 'ASC';
  const column = `${sorted ? NOT_INDEXED : ''}${alias}.${property}`;
  if (cursor !== undefined) {
    const { value, id } = decodeCursor(sort, cursor);
    if (property === 'id') query.andWhere(`${column} ${beyond} :id`, { id });
    else {
      query.andWhere(`${column} ${beyond}= :value AND (${column} ${beyond} :value OR ${alias}.id ${beyond} :id)`, {
        value: comparable(query, property, value ?? ''),
        id,
      });
    }
  }
  query.orderBy(column, direction);
  return property === 'id' ? query : query.addOrderBy(`${alias}.id`, direction);
}

function positionOf<T extends { id: string }>(row: T, property: keyof T & string) {
  const value: unknown = row[property];
  if (property === 'id') return { value: null, id: row.id };
  return { value: String(value instanceof Date ? value.getTime() : value), id: row.id };
}

/** A value of a cursor as its column is compared with it: times are ms since the epoch there. */
function comparable<T extends ObjectLiteral>(query: SelectQueryBuilder<T>, property: string, value: string) {
  const column = query.expressionMap.mainAlias?.metadata.findColumnWithPropertyName(property);
  return column?.type === 'datetime' ? timeOf(value) : value;
}

function timeOf(value: string): Date {
  const time = new Date(Number(value));
  if (Number.isNaN(time.getTime())) throw invalidInput('/cursor', 'must be the nextCursor of the page before');
  return time;
}
