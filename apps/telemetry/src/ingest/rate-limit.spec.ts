import { describe, expect, it } from '@jest/globals';
import { RateLimit } from './rate-limit.ts';

describe('the rate limit', () => {
  it('lets a second’s worth through at once and then tells how long to wait', () => {
    const limit = new RateLimit(10);
    for (let sent = 0; sent < 10; sent += 1) expect(limit.take('a', 1_000)).toBe(0);
    expect(limit.take('a', 1_000)).toBe(100);
    expect(limit.take('a', 1_099)).toBeGreaterThan(0);
    expect(limit.take('a', 1_100)).toBe(0);
  });

  it('is each sender’s own', () => {
    const limit = new RateLimit(1);
    expect(limit.take('a', 0)).toBe(0);
    expect(limit.take('b', 0)).toBe(0);
    expect(limit.take('a', 0)).toBeGreaterThan(0);
  });

  it('never lets more than a burst gather, however long a sender was quiet', () => {
    const limit = new RateLimit(5);
    limit.take('a', 0);
    let passed = 0;
    while (limit.take('a', 1e9) === 0) passed += 1;
    expect(passed).toBe(5);
  });

  it('gives the same to a sender that it forgot as to one that it did not', () => {
    const limit = new RateLimit(2);
    limit.take('a', 0);
    limit.take('a', 0);
    limit.sweep(500);
    expect(limit.take('a', 500)).toBe(0);
    expect(limit.take('a', 500)).toBeGreaterThan(0);
    limit.sweep(10_000);
    expect(limit.take('a', 10_000)).toBe(0);
  });

  it('can be switched off', () => {
    const limit = new RateLimit(Number.POSITIVE_INFINITY);
    for (let sent = 0; sent < 10_000; sent += 1) expect(limit.take('a', 0)).toBe(0);
  });
});
