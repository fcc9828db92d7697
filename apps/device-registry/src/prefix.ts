import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { rangeOf } from './devices/search-terms.ts';

/** Only those whose name begins with the text, in any case: `sortName` is the name in lower case. */
export function narrowToNamesFrom<T extends ObjectLiteral & { sortName: string }>(
  query: SelectQueryBuilder<T>,
  text: string | undefined,
): void {
  if (text === undefined) return;
  const { from, to } = rangeOf(text.toLowerCase());
  query.andWhere(`${query.alias}.sortName >= :nameFrom AND ${query.alias}.sortName < :nameTo`, {
    nameFrom: from,
    nameTo: to,
  });
}
