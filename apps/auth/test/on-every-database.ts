import { afterAll, beforeAll, describe } from '@jest/globals';
import { describeWith, freshMysqlDatabase } from '#testing';
import { startAuth, type AuthOptions, type StartedAuth } from './started-auth.ts';

/** Runs a suite against an auth service on SQLite and one on MySQL. */
export function onEveryDatabase(
  name: string,
  suite: (auth: () => StartedAuth) => void,
  options: Omit<AuthOptions, 'databaseUrl'> = {},
): void {
  const against = (databaseUrl: () => Promise<string>) => () => {
    let auth: StartedAuth;
    beforeAll(async () => {
      auth = await startAuth({ ...options, databaseUrl: await databaseUrl() });
    });
    afterAll(() => auth.stop());
    suite(() => auth);
  };
  describe(
    `${name}, on SQLite`,
    against(() => Promise.resolve('file::memory:')),
  );
  describeWith(
    ['mysql'],
    `${name}, on MySQL`,
    against(async () => (await freshMysqlDatabase()).url),
  );
}
