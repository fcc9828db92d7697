import { describe, expect, it } from '@jest/globals';
import { createSchedule } from './schedule.ts';

const sensor = (name: string) => ({ read: (ts: number) => ({ sensor: name, value: 0, ts }) });

describe('the schedule of a device', () => {
  it('takes as many readings as the rate says, however it is asked', () => {
    const takeDue = createSchedule([sensor('a'), sensor('b')], 2.5, 1_000);
    const counts = [1_000, 1_399, 1_400, 3_000, 11_000].map((now) => takeDue(now).length);
    expect(counts).toEqual([0, 0, 1, 4, 20]);
  });

  it('asks its sensors in turn, at even times', () => {
    const takeDue = createSchedule([sensor('a'), sensor('b')], 4, 0);
    expect(takeDue(1_000).map(({ sensor: name, ts }) => [name, ts])).toEqual([
      ['a', 250],
      ['b', 500],
      ['a', 750],
      ['b', 1_000],
    ]);
  });

  it('gives no two readings of a sensor the same time, up to a thousand a second', () => {
    const takeDue = createSchedule([sensor('a'), sensor('b')], 2_000, 0);
    const identities = takeDue(5_000).map(({ sensor: name, ts }) => `${name} ${String(ts)}`);
    expect(new Set(identities).size).toBe(10_000);
  });
});
