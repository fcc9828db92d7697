import { describe, expect, test } from '@jest/globals';
import { Ranges } from './ranges.ts';
import { isSound, tally, type FoundSeries } from './tally.ts';

const plan = { name: 'p', devices: 2, sensors: 2, t0: 0 };
const all = (n: number) => ({ sent: new Ranges([[0, n]]), acknowledged: new Ranges([[0, n]]) });
const series = (deviceId: string, sensor: string, ...times: [number, number][]): FoundSeries => ({
  deviceId,
  sensor,
  times: new Ranges(times),
});
const whole = [
  series('A', 'p.0.0', [0, 5]),
  series('A', 'p.0.1', [0, 5]),
  series('B', 'p.1.0', [0, 5]),
  series('B', 'p.1.1', [0, 5]),
];
const instead = (index: number, ...others: FoundSeries[]) => whole.toSpliced(index, 1, ...others);

describe('the tally', () => {
  test('is sound when everything acknowledged is found', () => {
    const result = tally(plan, [all(10), all(10)], whole);
    expect(result).toEqual({ acknowledged: 20, found: 20, missing: 0, foreign: 0 });
    expect(isSound(result)).toBe(true);
  });

  test('counts an acknowledged reading that is not found', () => {
    const result = tally(plan, [all(10), all(10)], instead(0, series('A', 'p.0.0', [0, 2], [3, 5])));
    expect(result).toEqual({ acknowledged: 20, found: 19, missing: 1, foreign: 0 });
    expect(isSound(result)).toBe(false);
  });

  test('counts a whole series that is not found', () => {
    expect(tally(plan, [all(10), all(10)], instead(0)).missing).toBe(5);
  });

  test('takes a reading without a receipt either way', () => {
    const unsure = { sent: new Ranges([[0, 10]]), acknowledged: new Ranges([[0, 9]]) };
    expect(isSound(tally(plan, [all(10), unsure], whole))).toBe(true);
    expect(isSound(tally(plan, [all(10), unsure], instead(3, series('B', 'p.1.1', [0, 4]))))).toBe(true);
  });

  test('counts a reading that was never sent', () => {
    const result = tally(plan, [all(10), all(10)], instead(2, series('B', 'p.1.0', [0, 6])));
    expect(result).toMatchObject({ found: 21, missing: 0, foreign: 1 });
    expect(isSound(result)).toBe(false);
  });

  test('counts a series that nobody has', () => {
    expect(tally(plan, [all(10), all(10)], [...whole, series('B', 'p.1.7', [0, 3])]).foreign).toBe(3);
  });

  test('counts readings that are found under another device', () => {
    const mixedUp = instead(1, series('B', 'p.0.1', [0, 5]));
    expect(tally(plan, [all(10), all(10)], mixedUp)).toMatchObject({ missing: 5, foreign: 5 });
  });

  test('counts a series that is there twice', () => {
    expect(tally(plan, [all(10), all(10)], [...whole, series('C', 'p.0.0', [0, 5])]).foreign).toBe(5);
  });
});
