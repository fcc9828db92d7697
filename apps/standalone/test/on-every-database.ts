import { describe } from '@jest/globals';
import { describeWith, freshMysqlDatabase } from '#testing';

/** Runs a suite on SQLite and on MySQL; each call of what it is given makes a new database. */
export function onEveryDatabase(name: string, suite: (databaseUrl: () => Promise<string>) => void): void {
  describe(`${name}, on SQLite`, () => {
    suite(() => Promise.resolve('file::memory:'));
  });
  describeWith(['mysql'], `${name}, on MySQL`, () => {
    suite(async () => (await freshMysqlDatabase()).url);
  });
}
