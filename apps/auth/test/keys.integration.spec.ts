import { expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { Jwks } from '#contracts';
import { KeyRing } from '../src/keys/key-ring.ts';
import { onEveryDatabase } from './on-every-database.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
let now = Date.now();

onEveryDatabase(
  'key rotation',
  (auth) => {
    test('publishes the next key before it signs and the last one until its tokens have expired', async () => {
      const start = now;
      const keys = auth().app.get(KeyRing, { strict: false });
      const person = await auth().newPerson(`${randomUUID()}@example.com`);
      const published = async () =>
        Jwks.parse((await auth().call('GET /.well-known/jwks.json')).body).keys.map(({ kid }) => kid);
      const kidNow = async () => {
        await keys.turn();
        return jwt.decode((await auth().logIn(person)).token, { complete: true })?.header.kid;
      };
      const first = await kidNow();
      expect(await published()).toEqual([first]);

      now = start + 30 * DAY_MS - HOUR_MS;
      expect(await kidNow()).toBe(first);
      const [, second, ...others] = await published();
      expect(others).toEqual([]);
      expect(second).toBeDefined();

      now = start + 30 * DAY_MS + 1_000;
      expect(await kidNow()).toBe(second);
      expect(await published()).toEqual([first, second]);
      now = start;
      expect((await auth().call('GET /user/me', { token: person.tokens.token })).status).toBe(200);

      now = start + 30 * DAY_MS + 900_000 + 61_000;
      expect(await kidNow()).toBe(second);
      expect(await published()).toEqual([second]);
    });

    test('makes one next key when five replicas find it due at once', async () => {
      const keys = auth().app.get(KeyRing, { strict: false });
      now += 60 * DAY_MS;
      const before = keys.jwks().keys.length;
      await Promise.all([1, 2, 3, 4, 5].map(() => keys.turn()));
      await keys.turn();
      expect(keys.jwks().keys).toHaveLength(before + 1);
    });
  },
  { now: () => now },
);
