import { parse, CsvError, type Parser } from 'csv-parse';
import { z } from 'zod';
import type { ImportRow } from '#contracts';
import { badFile, badRow, checkedRow, MAX_RECORD, type UploadedRow } from './uploaded-row.ts';

/** Columns of a file, in any order; only `name` is needed. */
export const COLUMNS = ['name', 'macAddress', 'serial', 'customer', 'profile', 'labels', 'kind'] as const;
type Column = (typeof COLUMNS)[number];
const Column = z.enum(COLUMNS);
/** Fields of a record at most, whatever the header says. */
const MAX_FIELDS = 64;

/** A record of csv-parse and the line on which it ends. */
interface CsvRecord {
  record: string[];
  info: { lines: number };
}

/**
 * The rows of a CSV file (RFC 4180) whose first line names its columns, as they come in. Throws `INVALID_INPUT` with the line for
 * what is no such file; a row that does not fit the header is a bad row.
 */
export async function* csvRows(text: AsyncIterable<Buffer>): AsyncGenerator<UploadedRow[]> {
  const reader = new CsvReader();
  let columns: Column[] | undefined;
  for await (const records of reader.read(text)) {
    const rows: UploadedRow[] = [];
    for (const { record, line } of records) {
      if (columns) rows.push(rowOf(record, line, columns));
      else columns = columnsOf(record, line);
    }
    if (rows.length > 0) yield rows;
  }
}

/** csv-parse, fed a slice at a time, so that no record grows without end. */
class CsvReader {
  private readonly parser: Parser;
  private readonly ready: CsvRecord[] = [];
  private failed: Error | undefined;
  /** The line on which the next record begins. */
  private nextLine = 1;

  constructor() {
    this.parser = parse({
      info: true,
      record_delimiter: '\n',
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: MAX_RECORD,
    });
    this.parser.on('readable', () => {
      this.drain();
    });
    this.parser.on('error', (error) => {
      this.failed = error;
    });
  }

  async *read(text: AsyncIterable<Buffer>): AsyncGenerator<{ record: string[]; line: number }[]> {
    for await (const slice of text) {
      await new Promise<void>((resolve) => {
        this.parser.write(slice, (error) => {
          this.failed ??= error ?? undefined;
          resolve();
        });
      });
      yield this.taken();
      this.checkUnfinished();
    }
    await new Promise<void>((resolve) => {
      this.parser.once('end', resolve).once('error', () => {
        resolve();
      });
      this.parser.end();
    });
    yield this.taken();
  }

  private drain(): void {
    const next = () => this.parser.read() as CsvRecord | null;
    for (let read = next(); read !== null; read = next()) this.ready.push(read);
  }

  private taken(): { record: string[]; line: number }[] {
    this.drain();
    const records = this.ready.splice(0).map(({ record, info }) => {
      const line = info.lines - newlinesIn(record);
      this.nextLine = info.lines + 1;
      if (record.length > MAX_FIELDS) throw badFile(line, tooManyFields(record.length));
      return { record, line };
    });
    if (this.failed) throw this.explained(this.failed);
    return records;
  }

  /** Separators alone do not count for csv-parse's own limit. */
  private checkUnfinished(): void {
    const { bytes, bytes_records: bytesDone } = this.parser.info;
    if (bytes - bytesDone > MAX_RECORD) throw badFile(this.nextLine, TOO_LONG);
  }

  private explained(error: Error): Error {
    if (!(error instanceof CsvError)) return error;
    const at = z.int().safeParse(error['lines']).data ?? this.nextLine;
    switch (error.code) {
      case 'CSV_QUOTE_NOT_CLOSED':
        return badFile(this.nextLine, 'a quote is opened here and never closed.');
      case 'CSV_MAX_RECORD_SIZE':
        return badFile(this.nextLine, TOO_LONG);
      case 'INVALID_OPENING_QUOTE':
        return badFile(
          at,
          'a quote stands in the middle of a field: quote the whole field and double the quotes in it.',
        );
      case 'CSV_INVALID_CLOSING_QUOTE':
        return badFile(at, 'something follows a closing quote: double the quotes within a field.');
      default:
        return badFile(at, 'it is not CSV (RFC 4180).');
    }
  }
}

const TOO_LONG = `the record that begins here is longer than ${String(MAX_RECORD)} bytes: is a quote not closed, or a line end missing?`;
const tooManyFields = (count: number): string =>
  `it has ${String(count)} fields; a record may have ${String(MAX_FIELDS)} at most.`;

const newlinesIn = (record: readonly string[]): number =>
  record.reduce((count, field) => count + (field.includes('\n') ? field.split('\n').length - 1 : 0), 0);

/** Throws `INVALID_INPUT` naming the column that is unknown, missing or there twice. */
function columnsOf(header: readonly string[], line: number): Column[] {
  const names = header.map((name) => name.trim());
  const columns = names.map((name) => {
    const column = Column.safeParse(name).data;
    if (column === undefined) throw badFile(line, unknownColumn(name), name.slice(0, 64));
    return column;
  });
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw badFile(line, `the column "${twice}" is there twice.`, twice);
  if (!columns.includes('name')) throw badFile(line, 'the column "name" is missing.', 'name');
  return columns;
}

const unknownColumn = (name: string): string =>
  `there is no column ${JSON.stringify(name.slice(0, 64))}: the first line names columns out of ${COLUMNS.join(',')}.`;

function rowOf(record: readonly string[], line: number, columns: readonly Column[]): UploadedRow {
  if (record.length !== columns.length) {
    return badRow(line, undefined, `It has ${String(record.length)} fields, the header has ${String(columns.length)}.`);
  }
  const { labels, ...texts } = Object.fromEntries(
    columns.flatMap((column, index) => {
      const value = record[index]?.trim() ?? '';
      return value === '' ? [] : [[column, value]];
    }),
  );
  const row: ImportRow = { line, ...texts, ...(labels === undefined ? {} : { labels: labelsOf(labels) }) };
  return checkedRow(row);
}

const labelsOf = (text: string): string[] =>
  text
    .split(';')
    .map((label) => label.trim())
    .filter(Boolean);
