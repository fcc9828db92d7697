import type { TableColumnOptions, ColumnOptions } from 'typeorm';

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
};
