import type { Reading } from '#contracts';
import type { RangeQuery } from './reading-store.ts';

/** The part of one series that a page needs: `from` inclusive, `to` exclusive, ms since the epoch. */
export interface SeriesStretch {
  id: number;
  sensor: string;
  from: number;
  to: number;
}

/** Where each series of the query goes on behind `after`. */
export function stretchesOf(query: RangeQuery, series: readonly { id: number; sensor: string }[]): SeriesStretch[] {
  return series
    .filter(({ sensor }) => query.sensor === undefined || sensor === query.sensor)
    .map(({ id, sensor }) => ({ id, sensor, ...boundsOf(query, sensor) }))
    .filter(({ from, to }) => from < to);
}

/** The first `limit` readings of all series together, in the order of the query. */
export function pageOf({ order, limit }: RangeQuery, stretches: readonly Reading[][]): Reading[] {
  const [only] = stretches;
  if (stretches.length === 1 && only) return only;
  const sign = order === 'asc' ? 1 : -1;
  return stretches
    .flat()
    .sort((a, b) => sign * (a.ts - b.ts || compareNames(a.sensor, b.sensor)))
    .slice(0, limit);
}

function boundsOf({ from, to, order, after }: RangeQuery, sensor: string): { from: number; to: number } {
  if (!after) return { from, to };
  const position = compareNames(sensor, after.sensor);
  if (order === 'asc') return { from: Math.max(from, position > 0 ? after.ts : after.ts + 1), to };
  return { from, to: Math.min(to, position < 0 ? after.ts + 1 : after.ts) };
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
