import { expect, test } from '@jest/globals';
import { Pauses } from './pauses.ts';

test('the longest time between two receipts is known', () => {
  const pauses = new Pauses();
  for (const at of [10, 15, 45, 50]) pauses.receipt(at);
  expect(pauses.longestMs).toBe(30);
});

test('from the beginning on, with the pause that was under way', () => {
  const pauses = new Pauses();
  for (const at of [10, 100]) pauses.receipt(at);
  pauses.begin();
  expect(pauses.longestMs).toBe(0);
  pauses.receipt(120);
  expect(pauses.longestMs).toBe(20);
});
