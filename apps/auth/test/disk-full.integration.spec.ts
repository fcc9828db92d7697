import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { getDataSourceToken } from '@nestjs/typeorm';
import { expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { tempDir } from '#testing';
import { startAuth, type Reply } from './started-auth.ts';

/** More than enough people, with long names, for the pages that the file has already. */
const MOST_PEOPLE = 20;

test('auth on a full disk answers 503 with the reason, still reads, and recovers by itself', async () => {
  const folder = await tempDir();
  const auth = await startAuth({ databaseUrl: `file:${join(folder.path, 'auth.db')}` });
  const somebody = await auth.newPerson(`${randomUUID()}@example.com`);
  const database = auth.app.get<DataSource>(getDataSourceToken('auth'), { strict: false });
  let people = 0;
  const signUp = (): Promise<Reply> =>
    auth.call('POST /user/signup', {
      body: { name: 'x'.repeat(200), email: `${randomUUID()}@example.com`, password: 'correct horse' },
      from: `203.0.113.${String((people += 1))}`,
    });

  await database.query('PRAGMA max_page_count = 1');
  let reply = await signUp();
  while (reply.status === 201 && people < MOST_PEOPLE) reply = await signUp();
  expect(reply).toMatchObject({
    status: 503,
    body: { code: 'UNAVAILABLE', detail: expect.stringContaining('full or failing'), retryAfterMs: 2_000 },
  });
  expect(reply.headers.get('retry-after')).toBe('2');
  expect((await auth.call('GET /user/me', { token: somebody.tokens.token })).status).toBe(200);

  await database.query('PRAGMA max_page_count = 100000');
  expect((await signUp()).status).toBe(201);
  await auth.stop();
  await folder.remove();
});
