import type { ColumnOptions, TableColumnOptions, ValueTransformer } from 'typeorm';

/** Entity columns that mean the same on MySQL and SQLite. */
export const column = {
  uuid: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'varchar', length: 36, ...options }),
  text: (length: number, options: ColumnOptions = {}): ColumnOptions => ({ type: 'varchar', length, ...options }),
  /** An instant, to the millisecond, UTC. */
  time: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'datetime', precision: 3, ...options }),
  integer: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'integer', ...options }),
  double: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'double', ...options }),
  boolean: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'boolean', ...options }),
  json: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'json', ...options }),
  /** Any JSON value of up to 65,535 bytes, exactly as it was given: the order of fields, and texts and numbers that stand alone. */
  document: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'text', transformer: AS_DOCUMENT, ...options }),
  /** A Buffer of up to 65,535 bytes. */
  blob: (options: ColumnOptions = {}): ColumnOptions => ({ type: 'blob', transformer: AS_BUFFER, ...options }),
};

const AS_DOCUMENT: ValueTransformer = {
  to: (value: unknown) => (value === null || value === undefined ? value : JSON.stringify(value)),
  from: (text: unknown) => (typeof text === 'string' ? (JSON.parse(text) as unknown) : text),
};

/** MySQL's driver gives Buffers, libsql ArrayBuffers. */
const AS_BUFFER: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => (value instanceof ArrayBuffer ? Buffer.from(value) : value),
};

/** The same columns for migrations. */
export const tableColumn = {
  uuid: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'varchar',
    length: '36',
    ...options,
  }),
  text: (name: string, length: number, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'varchar',
    length: String(length),
    ...options,
  }),
  time: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'datetime',
    precision: 3,
    ...options,
  }),
  integer: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'integer',
    ...options,
  }),
  double: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'double',
    ...options,
  }),
  boolean: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'boolean',
    default: '0',
    ...options,
  }),
  json: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'json',
    ...options,
  }),
  document: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'text',
    ...options,
  }),
  blob: (name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
    name,
    type: 'blob',
    ...options,
  }),
};
