import { describe, expect, it } from '@jest/globals';
import { createStamp } from './stamp.ts';

describe('stamping a reading', () => {
  it('gives the time of the clock', () => {
    const stamp = createStamp(() => 1_000, 1_024);
    expect(stamp({ sensor: 'a', value: 1 })).toEqual({ sensor: 'a', value: 1, ts: 1_000 });
  });

  it('keeps a time that the reading brings, by either name', () => {
    const stamp = createStamp(() => 1_000, 1_024);
    expect(stamp({ sensor: 'a', value: 1, ts: 5 }).ts).toBe(5);
    expect(stamp({ sensor: 'a', value: 1, timestamp: '2026-01-01T00:00:00Z' }).ts).toBeUndefined();
  });

  it('never gives one sensor the same time twice, though the clock stands still or is set back', () => {
    const times = [1_000, 1_000, 1_000, 400, 1_002, 2_000];
    const stamp = createStamp(() => times.shift() ?? 0, 1_024);
    const given = Array.from({ length: 6 }, () => stamp({ sensor: 'a', value: 1 }).ts);
    expect(given).toEqual([1_000, 1_001, 1_002, 1_003, 1_004, 2_000]);
  });

  it('counts the sensors of different devices apart', () => {
    const stamp = createStamp(() => 1_000, 1_024);
    const given = [
      stamp({ sensor: 'a', value: 1 }),
      stamp({ sensorType: 'b', value: 1 }),
      stamp({ device: 'x', sensor: 'a', value: 1 }),
    ];
    expect(given.map((reading) => reading.ts)).toEqual([1_000, 1_000, 1_000]);
  });

  it('is not moved by what the caller does to the reading afterwards', () => {
    const value = { state: 'on' };
    const stamped = createStamp(() => 1_000, 1_024)({ sensor: 'a', value });
    value.state = 'off';
    expect(stamped.value).toEqual({ state: 'on' });
  });

  it.each([
    ['no sensor', { value: 1 }, /has no sensor/],
    ['a value that is not a number', { sensor: 'a', value: NaN }, /value of a is NaN/],
    ['an infinite value', { sensor: 'a', value: Infinity }, /value of a is Infinity/],
    ['more bytes than a batch takes', { sensor: 'a', value: 'x'.repeat(2_000) }, /a batch takes 1024/],
  ])('refuses a reading with %s', (_, reading, message) => {
    expect(() => createStamp(() => 0, 1_024)(reading)).toThrow(message);
  });
});
