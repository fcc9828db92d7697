import { expect, test } from '@jest/globals';
import { percentiles } from './latency.ts';

test('percentiles are samples, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentiles(hundred)).toEqual({ p50: 50, p99: 99, max: 100 });
  expect(percentiles([7])).toEqual({ p50: 7, p99: 7, max: 7 });
});

test('there are none without a sample', () => {
  expect(percentiles([])).toEqual({ p50: 0, p99: 0, max: 0 });
});
