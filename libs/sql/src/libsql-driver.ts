import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';

/** The part of libsql's API that TypeORM uses. */
interface Statement {
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): unknown;
  iterate(...parameters: unknown[]): unknown;
}
interface Database {
  prepare(sql: string): Statement;
}

const Libsql = createRequire(import.meta.url)('libsql') as new (path: string, options?: object) => Database;

/** Inserts that stay prepared: those of many rows take as long to prepare as to run. */
const KEPT_INSERTS = 32;

const isBindable = (value: unknown): boolean => typeof value !== 'boolean' && !(value instanceof Date);

/** A parameter in a form that libsql can bind; times are stored as `YYYY-MM-DD hh:mm:ss.sss` in UTC. */
function bindable(value: unknown): unknown {
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Date) return value.toISOString().replace('T', ' ').slice(0, 23);
  return value;
}

/** The values of a call, which has them one by one or as a list; a list that can be bound as it is, is. */
function bindableList(parameters: unknown[]): unknown[] {
  const [only] = parameters;
  const values = parameters.length === 1 && Array.isArray(only) ? (only as unknown[]) : parameters;
  return values.every(isBindable) ? values : values.map(bindable);
}

/**
 * libsql as a driver of TypeORM's `better-sqlite3` type. libsql 0.5 ends the whole process when it is given a boolean, a Date,
 * or a single Buffer or null instead of a list: so it is always given one list of values that it can bind.
 */
export class LibsqlDriver extends Libsql {
  private readonly inserts = new LRUCache<string, Statement>({ max: KEPT_INSERTS });

  override prepare(sql: string): Statement {
    const kept = this.inserts.get(sql);
    if (kept) return kept;
    const statement = super.prepare(sql);
    if (sql.startsWith('INSERT INTO')) this.inserts.set(sql, statement);
    for (const method of ['run', 'get', 'iterate'] as const) {
      const original = statement[method].bind(statement);
      statement[method] = (...parameters: unknown[]) => original(bindableList(parameters));
    }
    return statement;
  }
}
