import { beforeEach, describe, expect, test } from '@jest/globals';
import { LibsqlDriver } from './libsql-driver.ts';

const INSERT = 'INSERT INTO things (id, name) VALUES (?, ?), (?, ?)';

describe('an insert that stays prepared', () => {
  let database: LibsqlDriver;
  const run = (sql: string, ...parameters: unknown[]): unknown => database.prepare(sql).run(parameters);
  const names = (): unknown[] => [...(database.prepare('SELECT name FROM things').iterate([]) as Iterable<unknown>)];

  beforeEach(() => {
    database = new LibsqlDriver(':memory:');
    run('CREATE TABLE things (id TEXT PRIMARY KEY, name TEXT)');
  });

  test('does its work after it was refused and rolled back', () => {
    run(INSERT, '1', 'a', '2', 'b');
    run('BEGIN');
    expect(() => run(INSERT, '3', 'c', '1', 'd')).toThrow(/UNIQUE/);
    run('ROLLBACK');
    run(INSERT, '3', 'c', '4', null);
    expect(names()).toEqual([{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: null }]);
  });

  test('does its work after the table was changed, and after it was made anew', () => {
    run(INSERT, '1', 'a', '2', 'b');
    run('ALTER TABLE things ADD COLUMN size INTEGER');
    run(INSERT, '3', 'c', '4', 'd');
    expect(names()).toHaveLength(4);
    run('DROP TABLE things');
    run('CREATE TABLE things (name TEXT, id TEXT)');
    run(INSERT, '1', 'e', '2', 'f');
    expect(names()).toEqual([{ name: 'e' }, { name: 'f' }]);
  });
});
