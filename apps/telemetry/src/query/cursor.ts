import { z } from 'zod';
import { CodedError } from '#contracts';

/** Where a page ended: the next one starts behind this reading. */
const Position = z.tuple([z.number().int(), z.string()]);

/** The opaque form of a position. */
export const writeCursor = ({ ts, sensor }: { ts: number; sensor: string }): string =>
  Buffer.from(JSON.stringify([ts, sensor])).toString('base64url');

/** Throws `INVALID_INPUT` for a cursor that is not one of ours. */
export function readCursor(cursor: string): { ts: number; sensor: string } {
  const position = Position.safeParse(jsonOf(Buffer.from(cursor, 'base64url').toString('utf8')));
  if (!position.success) {
    throw new CodedError('INVALID_INPUT', 'The cursor is not one that a page gave.', {
      errors: [{ path: '/cursor', message: 'take the nextCursor of the page before, as it stands' }],
    });
  }
  const [ts, sensor] = position.data;
  return { ts, sensor };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
