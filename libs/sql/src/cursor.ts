import { z } from 'zod';
import { invalidInput } from '#platform';

/** Where a page ended: the list's order, the last item's value in it (none if the order is that of ids), and its id. */
const Cursor = z.tuple([z.string(), z.string().nullable(), z.uuid()]);

export interface Position {
  value: string | null;
  id: string;
}

/** The opaque text of a position in a list that is sorted like this. */
export const encodeCursor = (sort: string, { value, id }: Position): string =>
  Buffer.from(JSON.stringify([sort, value, id])).toString('base64url');

/** Throws `INVALID_INPUT` for anything that {@link encodeCursor} did not make for a list that is sorted like this. */
export function decodeCursor(sort: string, text: string): Position {
  const cursor = Cursor.safeParse(parsedJson(Buffer.from(text, 'base64url').toString()));
  if (!cursor.success || cursor.data[0] !== sort) {
    throw invalidInput('/cursor', 'must be the nextCursor of the page before, with the same sort');
  }
  const [, value, id] = cursor.data;
  return { value, id };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
