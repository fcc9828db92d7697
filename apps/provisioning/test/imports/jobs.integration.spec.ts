import { describe, jest } from '@jest/globals';
import { describeWith, freshMysqlDatabase, tempDir } from '#testing';
import { jobsSuite } from './jobs.suite.ts';

jest.setTimeout(60_000);

describe('imports on SQLite', () => {
  jobsSuite(async () => `file:${(await tempDir()).path}/provisioning.db`);
});

describeWith(['mysql'], 'imports on MySQL', () => {
  jobsSuite(async () => (await freshMysqlDatabase()).url);
});
