export * from './columns.ts';
export * from './data-source.ts';
export * from './errors.ts';
export * from './keyset.ts';
export * from './migrate.ts';
export * from './sql.module.ts';
export * from './transaction.ts';
