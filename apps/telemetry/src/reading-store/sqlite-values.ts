import type { Location, ReadingValue } from '#contracts';
import { asLocation, asValue } from './stored-content.ts';

/** What libsql binds and gives back exactly. Booleans, dates and buffers end the process. */
export type Cell = number | string | null;

/** Text that SQLite's C strings or UTF-8 would change: NUL and halves of surrogate pairs. */
const NEEDS_ESCAPES = /[\0\p{Surrogate}]/u;

/**
 * A value as a cell: a number as itself (bound, never through SQL text, since SQLite 3.45 rounds some doubles that it reads
 * from text), everything else as text whose first character says what follows: `s` a string, `j` JSON.
 */
export function valueCell(value: unknown): Cell {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && !NEEDS_ESCAPES.test(value)) return `s${value}`;
  return `j${JSON.stringify(value)}`;
}

/** A location as a cell: null, or text as in {@link valueCell}. */
export function locationCell(location: unknown): Cell {
  return location === undefined || location === null ? null : valueCell(location);
}

/** The value that {@link valueCell} was given. */
export const valueOf = (cell: unknown): ReadingValue => asValue(decode(cell));

/** The location that {@link locationCell} was given; undefined for none. */
export const locationOf = (cell: unknown): Location | undefined =>
  cell === null ? undefined : asLocation(decode(cell));

function decode(cell: unknown): unknown {
  if (typeof cell !== 'string') return cell;
  return cell.startsWith('j') ? JSON.parse(cell.slice(1)) : cell.slice(1);
}
