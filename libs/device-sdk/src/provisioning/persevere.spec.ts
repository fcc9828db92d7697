import { describe, expect, it } from '@jest/globals';
import { CodedError } from '#contracts';
import { FakeClock } from '../../test/fake-clock.ts';
import { until } from '../../test/until.ts';
import { HttpFailure } from '../http.ts';
import { persevere } from './persevere.ts';

describe('persevering', () => {
  /** Fails with these errors in turn, then succeeds; the waits are what it was told. */
  async function attempt(errors: Error[], options: { random?: number; giveUpAfterMs?: number } = {}) {
    const clock = new FakeClock();
    const waits: number[] = [];
    let ended = false;
    const left = [...errors];
    const done = persevere(
      () => {
        const error = left.shift();
        return error ? Promise.reject(error) : Promise.resolve('in');
      },
      {
        clock,
        random: () => options.random ?? 1,
        giveUpAfterMs: options.giveUpAfterMs,
        onRetry: ({ retryInMs }) => waits.push(retryInMs),
      },
    )
      .catch((error: unknown) => error)
      .finally(() => (ended = true));
    await until('it ended', () => ended, clock, 500);
    return { outcome: await done, waits };
  }

  it('waits twice as long at most after every failure, up to half a minute', async () => {
    const errors = Array.from({ length: 8 }, () => new Error('No connection.'));
    expect(await attempt(errors)).toEqual({
      outcome: 'in',
      waits: [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000],
    });
  });

  it('waits anything between nothing and that', async () => {
    expect((await attempt([new Error('x'), new Error('x')], { random: 0.25 })).waits).toEqual([125, 250]);
  });

  it.each([
    new CodedError('RATE_LIMITED', 'Slow.', { retryAfterMs: 10_000 }),
    new CodedError('UNAVAILABLE', 'Later.', { retryAfterMs: 10_000 }),
    new HttpFailure('Slow.', 429, 10_000),
    new HttpFailure('Later.', 503, 10_000),
  ])('comes back no earlier than the platform asks: %s', async (error) => {
    expect((await attempt([error], { random: 0 })).waits).toEqual([10_000]);
    expect((await attempt([error], { random: 1 })).waits).toEqual([15_000]);
  });

  it.each([
    new CodedError('FORBIDDEN', 'No.'),
    new CodedError('DEVICE_LIMIT_REACHED', 'Full.'),
    new CodedError('INVALID_INPUT', 'What?'),
    new HttpFailure('Nothing here.', 404),
    Object.assign(new Error('No room.'), { code: 'ENOSPC', syscall: 'write' }),
  ])('stops at what no waiting cures: %s', async (error) => {
    expect(await attempt([error])).toEqual({ outcome: error, waits: [] });
  });

  it('gives up with the last error when its time is over', async () => {
    const errors = Array.from({ length: 8 }, (_, index) => new Error(`Failure ${index}.`));
    const { outcome, waits } = await attempt(errors, { giveUpAfterMs: 3_600 });
    expect(waits).toEqual([500, 1_000, 2_000]);
    expect(outcome).toBe(errors[3]);
  });

  it('stops waiting when it is called off', async () => {
    const clock = new FakeClock();
    const off = new AbortController();
    const failures: unknown[] = [];
    const done = persevere(() => Promise.reject(new Error('No connection.')), {
      clock,
      signal: off.signal,
      onRetry: (failure) => failures.push(failure),
    });
    await until('it waits', () => failures.length === 1);
    off.abort(new Error('Called off.'));
    await expect(done).rejects.toThrow('Called off.');
    expect(clock.untilNext).toBe(Infinity);
  });
});
