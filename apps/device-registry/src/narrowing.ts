import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';

/**
 * Narrows to rows that have a value, found by the value's index; or, with `asked`, found by something else and then asked whether they have
 * it. SQLite keeps no statistics for us: of two conditions with an index each it may take the one that nearly all rows meet.
 */
export function narrowTo<T extends ObjectLiteral>(
  query: SelectQueryBuilder<T>,
  property: keyof T & string,
  value: string | undefined,
  { asked = false, as = property }: { asked?: boolean; as?: string } = {},
): void {
  if (value === undefined) return;
  const column = `${query.alias}.${property}`;
  query.andWhere(`${asked ? `COALESCE(${column}, '')` : column} = :${as}`, { [as]: value });
}
