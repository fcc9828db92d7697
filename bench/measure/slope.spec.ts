import { expect, test } from '@jest/globals';
import { slope } from './slope.ts';

test('the slope is that of the line that the points lie about', () => {
  expect(slope([[0, 5], [1, 7], [2, 9]])).toBeCloseTo(2); // prettier-ignore
  expect(slope([[0, 3], [1, 1], [2, 3], [3, 1]])).toBeCloseTo(-0.4); // prettier-ignore
});

test('one point has none', () => {
  expect(slope([[1, 1]])).toBe(0);
  expect(slope([])).toBe(0);
});
