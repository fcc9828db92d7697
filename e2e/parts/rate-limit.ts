import { afterAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { waitUntil } from '#testing';
import type { House } from '../house.ts';
import { newDevice, newUser } from '../people.ts';
import { settledLedger } from '../readings.ts';
import { ask, connectTo, disconnectAll } from '../sockets.ts';
import { Visitor } from '../visitor.ts';

const Answer = z.union([
  z.object({ ok: z.literal(true), accepted: z.number() }),
  z.object({ ok: z.literal(false), code: z.literal('RATE_LIMITED'), retryAfterMs: z.number().int().positive() }),
]);

/** The limit of 500 messages a second that holds by default. */
export function rateLimit(house: () => House): void {
  describe('the rate limit', () => {
    afterAll(disconnectAll);

    test('tells a flooding device when to come again, and leaves another one alone', async () => {
      const { visitor } = await newUser(house());
      const [loud, quiet] = [await newDevice(visitor), await newDevice(visitor)];
      const replica = house().replicas[0]!;
      const flooding = await connectTo(replica, '/telemetry', loud.token);
      const calm = await connectTo(replica, '/telemetry', quiet.token);
      const now = Date.now();
      const flood = Promise.all(
        Array.from({ length: 3_000 }, (_, index) =>
          ask(flooding, 'readings', { sensor: 's', ts: now - index, value: 1 }),
        ),
      );
      for (let message = 0; message < 20; message += 1) {
        expect(await ask(calm, 'readings', { sensor: 's', ts: now - message, value: 1 })).toMatchObject({ ok: true });
      }
      const answers = z.array(Answer).parse(await flood);
      const accepted = answers.filter(({ ok }) => ok).length;
      expect(accepted).toBeGreaterThanOrEqual(500);
      expect(accepted).toBeLessThan(3_000);
      expect(await settledLedger(visitor, loud.id)).toMatchObject({ received: accepted, stored: accepted });
      await waitUntil(async () => Answer.parse(await ask(flooding, 'readings', { sensor: 's', value: 2 })).ok, {
        what: 'the device may send again',
      });
    }, 60_000);
  });
}

/** The same over HTTP, in a house that takes two messages a second. */
export function rateLimitOverHttp(house: () => House): void {
  describe('a rate limit of two messages a second', () => {
    test('is 429 with Retry-After over HTTP, for one sender alone', async () => {
      const { visitor } = await newUser(house());
      const [loud, quiet] = [await newDevice(visitor), await newDevice(visitor)];
      const sender = new Visitor(house(), loud.token);
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => sender.post('/telemetry', { sensor: 's', value: 1 })),
      );
      const refused = answers.filter(({ status }) => status !== 200);
      expect(refused.length).toBeGreaterThan(0);
      for (const answer of refused) {
        expect(answer).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      }
      const other = await new Visitor(house(), quiet.token).post('/telemetry', { sensor: 's', value: 1 });
      expect(other).toMatchObject({ status: 200 });
    });
  });
}
