import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { WINDOW_MS } from '#sql';
import { onEveryDatabase } from './on-every-database.ts';
import { statusCounts } from './status-counts.ts';

const LIMIT = 5;
let now = Date.now();
let networks = 0;
const newAddress = (): string => `198.51.${String(Math.trunc(++networks / 250))}.${String((networks % 250) + 1)}`;

onEveryDatabase(
  'throttling',
  (auth) => {
    const logIn = (email: string, password: string, from: string) =>
      auth().call('POST /user/login', { body: { email, password }, from });
    const newEmail = (): string => `${randomUUID()}@example.com`;
    const failTimes = async (times: number, email: string, from: () => string) => {
      for (let failure = 0; failure < times; failure += 1) await logIn(email, 'wrong password', from());
    };

    test('refuses an account after too many wrong passwords, even the right one, and says until when', async () => {
      const { email, password } = await auth().newPerson(newEmail());
      await failTimes(LIMIT, email, newAddress);
      const refused = await logIn(email, password, newAddress());
      expect(refused).toMatchObject({
        status: 429,
        body: { code: 'TOO_MANY_ATTEMPTS', retryAfterMs: expect.any(Number), detail: expect.stringContaining('wait') },
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      now += WINDOW_MS;
      expect((await logIn(email, password, newAddress())).status).toBe(200);
    });

    test('treats an email that nobody has in the same way', async () => {
      const email = newEmail();
      await failTimes(LIMIT, email, newAddress);
      expect((await logIn(email, 'whatever', newAddress())).status).toBe(429);
    });

    test('lets somebody in from where they have logged in before, whoever guesses elsewhere', async () => {
      const { email, password } = await auth().newPerson(newEmail());
      const home = newAddress();
      expect((await logIn(email, password, home)).status).toBe(200);
      await failTimes(LIMIT, email, newAddress);
      expect((await logIn(email, password, newAddress())).status).toBe(429);
      expect((await logIn(email, password, home)).status).toBe(200);
    });

    test('counts afresh after a login', async () => {
      const { email, password } = await auth().newPerson(newEmail());
      for (const _round of [1, 2, 3]) {
        await failTimes(LIMIT - 1, email, newAddress);
        expect((await logIn(email, password, newAddress())).status).toBe(200);
      }
    });

    test('verifies no more than the limit of fifty guesses at once', async () => {
      const { email } = await auth().newPerson(newEmail());
      const replies = await Promise.all(Array.from({ length: 50 }, () => logIn(email, 'wrong password', newAddress())));
      expect(statusCounts(replies)).toEqual({ 401: LIMIT, 429: 50 - LIMIT });
    });

    test('refuses an address after failures on many accounts, and the /64 of an IPv6 address', async () => {
      for (const addresses of [['203.0.113.7'], ['2001:db8:0:7::1', '2001:db8:0:7:ffff::2']]) {
        const [first = '', last = first] = addresses;
        const replies = await Promise.all(
          Array.from({ length: LIMIT * 10 }, () => logIn(newEmail(), 'wrong password', first)),
        );
        expect(statusCounts(replies)).toEqual({ 401: LIMIT * 10 });
        expect((await logIn(newEmail(), 'wrong password', last)).status).toBe(429);
      }
      expect((await logIn(newEmail(), 'wrong password', '2001:db8:0:8::1')).status).toBe(401);
    });

    test('does not count logins that succeed against their address', async () => {
      const { email, password } = await auth().newPerson(newEmail());
      const replies = await Promise.all(
        Array.from({ length: LIMIT * 10 + 5 }, () => logIn(email, password, '203.0.113.99')),
      );
      expect(statusCounts(replies)).toEqual({ 200: LIMIT * 10 + 5 });
    });

    test('counts guesses of the current password too', async () => {
      const { tokens, password } = await auth().newPerson(newEmail());
      const change = (currentPassword: string) =>
        auth().call('POST /user/password', {
          token: tokens.token,
          body: { currentPassword, newPassword: 'battery staple' },
        });
      for (let guess = 0; guess < LIMIT; guess += 1) expect((await change('a guess')).status).toBe(401);
      expect((await change(password)).status).toBe(429);
    });

    test('refuses sign-ups from one address beyond the limit', async () => {
      const signUp = () =>
        auth().call('POST /user/signup', {
          body: { name: 'One of many', email: newEmail(), password: 'correct horse' },
          from: '203.0.113.200',
        });
      const replies = [];
      for (let count = 0; count < 21; count += 1) replies.push(await signUp());
      expect(statusCounts(replies)).toEqual({ 201: 20, 429: 1 });
    });
  },
  { config: { LOGIN_ATTEMPTS: String(LIMIT), SIGNUP_ATTEMPTS: '20' }, now: () => now },
);
