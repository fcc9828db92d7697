import { describe, expect, it } from '@jest/globals';
import { atLeast, fullJitter } from './backoff.ts';

const options = { baseMs: 100, maxMs: 1_000 };

describe('backoff', () => {
  it('doubles the upper end with every attempt, up to the longest wait', () => {
    expect([0, 1, 2, 3, 4, 500].map((attempt) => fullJitter(attempt, options, () => 1))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('spreads a wait over everything between nothing and its upper end', () => {
    expect(fullJitter(2, options, () => 0)).toBe(0);
    expect(fullJitter(2, options, () => 0.5)).toBe(200);
  });

  it('never comes back before a server said', () => {
    expect(atLeast(1_000, () => 0)).toBe(1_000);
    expect(atLeast(1_000, () => 1)).toBe(1_500);
  });
});
