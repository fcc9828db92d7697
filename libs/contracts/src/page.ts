import { z } from 'zod';
import { LIMITS } from './limits.ts';

/** What every list takes: `limit` items after `cursor` (opaque, from the page before), `sort` as `field` or `-field`, `q` text. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).default(100),
  cursor: z.string().max(512).optional(),
  sort: z.string().max(64).optional(),
  q: z.string().trim().min(1).max(128).optional(),
});
export type PageQuery = z.output<typeof PageQuery>;

/** One page of a list; `nextCursor` is null on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** One page of a list; `nextCursor` is null on the last one. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}
