import { z } from 'zod';
import { CodedError, ImportRow } from '#contracts';

/** A row of a file that is none, or has nothing that the registry could make a device of. */
const BadRow = z.object({
  line: z.int(),
  problem: z.object({ field: z.string().optional(), message: z.string() }),
});
export type BadRow = z.output<typeof BadRow>;

/** A row as it waits for its turn. */
export const UploadedRow = z.union([BadRow, ImportRow]);
export type UploadedRow = z.output<typeof UploadedRow>;

/** Longest text of one field, in characters: longer than any that a device may have. */
const MAX_TEXT = 4_096;
/** Longest record or line of a file, in bytes. */
export const MAX_RECORD = 65_536;

export const badRow = (line: number, field: string | undefined, message: string): BadRow => ({
  line,
  problem: { ...(field === undefined ? {} : { field }), message },
});

/** The row, unless it lacks a name or has a text that is far too long. */
export function checkedRow(row: ImportRow): UploadedRow {
  const texts = Object.entries(row).flatMap(([field, value]) => texted(field, value));
  const long = texts.find(([, text]) => text.length > MAX_TEXT);
  if (long) return badRow(row.line, long[0], 'is far too long.');
  return row.name === undefined ? badRow(row.line, 'name', 'is needed.') : row;
}

function texted(field: string, value: unknown): [string, string][] {
  if (typeof value === 'string') return [[field, value]];
  return Array.isArray(value) ? value.flatMap((item) => texted(field, item)) : [];
}

/** The file as a whole cannot be used; names the line and, if there is one, the column. */
export const badFile = (line: number, message: string, field?: string): CodedError =>
  new CodedError('INVALID_INPUT', `Line ${String(line)}: ${message}`, {
    errors: [
      {
        path: `/${String(line)}${field === undefined ? '' : `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`}`,
        message,
      },
    ],
  });
