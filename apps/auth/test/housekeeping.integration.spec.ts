import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { getDataSourceToken } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { FailedAttemptsEntity } from '#sql';
import { Housekeeping } from '../src/housekeeping/housekeeping.ts';
import { RefreshToken } from '../src/sessions/refresh-token.entity.ts';
import { Session } from '../src/sessions/session.entity.ts';
import { onEveryDatabase } from './on-every-database.ts';

const DAY_MS = 86_400_000;
let now = Date.now();

onEveryDatabase(
  'housekeeping',
  (auth) => {
    test('deletes what is over and keeps what is not', async () => {
      const database = auth().app.get<DataSource>(getDataSourceToken('auth'), { strict: false });
      const counts = () =>
        Promise.all([Session, RefreshToken, FailedAttemptsEntity].map((rows) => database.manager.count(rows)));
      const clean = () => auth().app.get(Housekeeping, { strict: false }).clean();
      const person = await auth().newPerson(`${randomUUID()}@example.com`);
      const other = await auth().logIn(person);
      await auth().call('POST /user/logout', { token: other.token });
      await auth().call('POST /user/login', { body: { email: person.email, password: 'wrong password' } });
      const [sessions = 0, tokens = 0, attempts = 0] = await counts();
      expect([sessions, tokens]).toEqual([2, 2]);
      expect(attempts).toBeGreaterThan(0);

      await clean();
      expect(await counts()).toEqual([sessions, tokens, attempts]);
      now += DAY_MS;
      await clean();
      expect(await counts()).toEqual([1, 1, 0]);
      const refreshed = await auth().call('POST /user/token', { body: { refreshToken: person.tokens.refreshToken } });
      expect(refreshed.status).toBe(200);
      now += 29 * DAY_MS;
      await clean();
      expect((await counts())[0]).toBe(1);
      now += 2 * DAY_MS;
      await clean();
      expect(await counts()).toEqual([0, 0, 0]);
    });
  },
  { now: () => now },
);
