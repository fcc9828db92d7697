import { expect, test } from '@jest/globals';
import { nextSignsFrom, retiredKeys, signerOf } from './key-policy.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RULES = { rotationMs: 30 * DAY, tokenMs: 900_000 };
const NOW = 1_000 * DAY;
const keysFrom = (...times: number[]) => times.map((signsFrom) => ({ signsFrom }));

test('the first key signs at once', () => {
  expect(nextSignsFrom([], RULES, NOW)).toBe(NOW);
});

test('the next key is made an hour before the rotation is due, and signs from then', () => {
  const keys = keysFrom(NOW);
  const due = NOW + RULES.rotationMs;
  expect(nextSignsFrom(keys, RULES, due - HOUR - 1)).toBeUndefined();
  expect(nextSignsFrom(keys, RULES, due - HOUR)).toBe(due);
  expect(nextSignsFrom(keysFrom(NOW, due), RULES, due - HOUR)).toBeUndefined();
});

test('after a long pause the next key is still published an hour before it signs', () => {
  expect(nextSignsFrom(keysFrom(NOW - 100 * DAY), RULES, NOW)).toBe(NOW + HOUR);
});

test('a short rotation publishes half of its time ahead', () => {
  const rules = { rotationMs: 10 * 60_000, tokenMs: 60_000 };
  expect(nextSignsFrom(keysFrom(NOW), rules, NOW + 5 * 60_000)).toBe(NOW + 10 * 60_000);
});

test('the last key that has begun signs', () => {
  const keys = keysFrom(NOW - 2, NOW - 1, NOW + 1);
  expect(signerOf(keys, NOW)).toBe(keys[1]);
  expect(signerOf(keys, NOW + 1)).toBe(keys[2]);
  expect(signerOf([], NOW)).toBeUndefined();
});

test('a key retires once the last token it signed has expired on every clock', () => {
  const keys = keysFrom(NOW - 30 * DAY, NOW);
  const over = NOW + RULES.tokenMs + 60_000;
  expect(retiredKeys(keys, RULES, over - 1)).toEqual([]);
  expect(retiredKeys(keys, RULES, over)).toEqual([keys[0]]);
});
