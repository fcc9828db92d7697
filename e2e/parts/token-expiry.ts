import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { House } from '../house.ts';
import { newUser } from '../people.ts';
import { ask, connect, connecting, disconnectAll, nextEvent, refusalOf } from '../sockets.ts';
import { read, Visitor } from '../visitor.ts';

const Pair = z.object({ token: z.string(), refreshToken: z.string() });
const Expiring = z.object({ expiresAt: z.number() });
const Renewed = z.object({ ok: z.literal(true), expiresAt: z.number() });

/** Expiry of tokens on living connections, in a house whose tokens live for seconds. */
export function tokenExpiry(house: () => House): void {
  describe('a token that expires', () => {
    afterAll(disconnectAll);

    test('is announced; a refreshed one keeps the connection, and without one it is closed with the reason', async () => {
      const person = await newUser(house());
      const socket = connecting(house().url, '/telemetry', person.token);
      const { expiresAt } = Expiring.parse(await nextEvent(socket, 'auth:expiring'));
      expect(await ask(socket, 'auth:refresh', { token: 'not.a.token' })).toMatchObject({
        ok: false,
        code: 'UNAUTHENTICATED',
      });
      const somebody = await newUser(house());
      expect(await ask(socket, 'auth:refresh', { token: somebody.token })).toMatchObject({
        ok: false,
        code: 'FORBIDDEN',
      });
      const { refreshToken } = person;
      const pair = read(await new Visitor(house()).post('/user/token', { refreshToken }), Pair);
      const again = nextEvent(socket, 'auth:expiring');
      const renewed = Renewed.parse(await ask(socket, 'auth:refresh', { token: pair.token }));
      expect(renewed.expiresAt).toBeGreaterThanOrEqual(expiresAt);
      expect(Expiring.parse(await again).expiresAt).toBe(renewed.expiresAt);
      expect(await ask(socket, 'readings', { sensor: 's', value: 1 })).toMatchObject({ ok: true, accepted: 1 });
      const closed = new Promise((resolve) => socket.once('disconnect', resolve));
      expect(await endOf(socket)).toMatchObject({ code: 'TOKEN_EXPIRED' });
      expect(Date.now()).toBeGreaterThanOrEqual(renewed.expiresAt);
      expect(await closed).toBe('io server disconnect');
    }, 60_000);

    test('is refused at every door afterwards', async () => {
      const person = await newUser(house());
      const socket = await connect(house(), '/live', person.token);
      expect(await endOf(socket)).toMatchObject({ code: 'TOKEN_EXPIRED' });
      expect(await refusalOf(house(), '/telemetry', person.token)).toMatchObject({ code: 'TOKEN_EXPIRED' });
      for (const path of ['/user/me', '/api/devices']) {
        expect(await person.visitor.get(path)).toMatchObject({ status: 401, code: 'TOKEN_EXPIRED' });
      }
      expect(await person.visitor.post('/telemetry', {})).toMatchObject({ status: 401, code: 'TOKEN_EXPIRED' });
    }, 60_000);
  });
}

const endOf = (socket: Parameters<typeof nextEvent>[0]): Promise<unknown> =>
  new Promise((resolve) => socket.once('auth:ended', resolve));
