import { describe, expect, test } from '@jest/globals';
import { uuid7 } from '#platform';
import { countsOf, isToStop, placeOf } from './rollout-view.ts';

describe('the place of a device in a rollout', () => {
  test('is spread evenly, the same at every time and another with another package', () => {
    const [one, other] = [uuid7(), uuid7()];
    const devices = Array.from({ length: 10_000 }, () => uuid7());
    const places = devices.map((device) => placeOf(one, device));
    for (const percent of [1, 10, 50]) {
      const share = (places.filter((place) => place < percent).length / devices.length) * 100;
      expect(Math.abs(share - percent)).toBeLessThan(Math.max(0.6, percent * 0.06));
    }
    expect(places.every((place) => place >= 0 && place < 100)).toBe(true);
    expect(placeOf(one, devices[0] ?? '')).toBe(places[0]);
    expect(placeOf(other, devices[0] ?? '')).not.toBe(places[0]);
  });
});

describe('a rollout', () => {
  test.each([
    [2, 0, false],
    [3, 0, true],
    [3, 3, true],
    [3, 4, false],
    [0, 0, false],
  ])('of which %i failed and %i updated is to stop: %s', (failed, updated, isOver) => {
    expect(isToStop({ stopAfter: 3, stopPercent: 50 }, { failed, updated })).toBe(isOver);
  });

  test('counts devices that were given something else since by how they had ended', () => {
    const left = { leftUpdated: 1, leftFailed: 2, leftOther: 4 };
    const present = new Map([
      ['queued', 10],
      ['downloading', 3],
      ['updating', 2],
      ['updated', 5],
      ['failed', 1],
    ] as const);
    expect(countsOf(left, present)).toEqual({ assigned: 28, inProgress: 5, updated: 6, failed: 3, ended: 13 });
  });
});
