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

    test('is 429 with Retry-After over HTTP', async () => {
      const { visitor } = await newUser(house());
      const device = await newDevice(visitor);
      const replica = house().replicas[0]!;
      const flooding = await connectTo(replica, '/telemetry', device.token);
      const flood = Promise.all(
        Array.from({ length: 2_000 }, (_, index) =>
          ask(flooding, 'readings', { sensor: 's', ts: Date.now() - index, value: 1 }),
        ),
      );
      const sender = new Visitor(house(), device.token);
      const refused = await waitUntil(
        async () => {
          const answer = await sender.post(`${replica}/telemetry`, { sensor: 's', value: 1 });
          return answer.status === 429 && answer;
        },
        { what: 'HTTP is limited too', everyMs: 1 },
      );
      expect(refused.code).toBe('RATE_LIMITED');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      await flood;
    }, 60_000);
  });
}
