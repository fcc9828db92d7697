import { z } from 'zod';
import { ImportRow } from '#contracts';
import { badFile, badRow, checkedRow, MAX_RECORD, type UploadedRow } from './uploaded-row.ts';

const LF = 0x0a;
/** Deepest nesting of attributes, as the registry has it. */
const MAX_DEPTH = 32;

/** What a line may say; null says nothing. */
const Line = z.strictObject(ImportRow.omit({ line: true }).shape);

/**
 * The rows of a file of JSON objects, one a line, as they come in. Empty lines are skipped. Throws `INVALID_INPUT` for a line that
 * is far too long; a line that is no such object is a bad row.
 */
export async function* ndjsonRows(text: AsyncIterable<Buffer>): AsyncGenerator<UploadedRow[]> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  for await (const slice of text) {
    const data = rest.length === 0 ? slice : Buffer.concat([rest, slice]);
    const rows: UploadedRow[] = [];
    let from = 0;
    for (let end = data.indexOf(LF); end >= 0; end = data.indexOf(LF, from)) {
      rows.push(...rowsOf(data.subarray(from, end), line));
      from = end + 1;
      line += 1;
    }
    rest = data.subarray(from);
    checkLength(rest, line);
    if (rows.length > 0) yield rows;
  }
  const last = rowsOf(rest, line);
  if (last.length > 0) yield last;
}

function checkLength(line: Buffer, number: number): void {
  if (line.length > MAX_RECORD) throw badFile(number, `it is longer than ${String(MAX_RECORD)} bytes.`);
}

function rowsOf(bytes: Buffer, line: number): UploadedRow[] {
  checkLength(bytes, line);
  const text = bytes.toString().trim();
  return text === '' ? [] : [rowOf(text, line)];
}

function rowOf(text: string, line: number): UploadedRow {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return badRow(line, undefined, 'It is not a JSON object.');
  }
  const said = Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
  const unfit = Object.entries(said).find(([, field]) => !isStorable(field, 0));
  if (unfit) {
    return badRow(
      line,
      unfit[0].slice(0, 64),
      'cannot be stored: it is nested too deeply, or has a broken text or number.',
    );
  }
  const row = Line.safeParse(said);
  if (row.success) return checkedRow({ line, ...row.data });
  return badField(line, row.error);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function badField(line: number, { issues: [issue] }: z.ZodError): UploadedRow {
  if (issue?.code === 'unrecognized_keys') return badRow(line, issue.keys[0]?.slice(0, 64), 'There is no such field.');
  return badRow(
    line,
    issue === undefined ? undefined : String(issue.path[0]),
    `${issue?.message ?? 'It is not valid'}.`,
  );
}

/** Neither halves of surrogate pairs, nor numbers beyond a double, nor depths at which it could not be written. */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return !/\p{Cs}/u.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_DEPTH) return false;
  const inside = Array.isArray(value) ? value : Object.entries(value).flat();
  return inside.every((item) => isStorable(item, depth + 1));
}
