import { describe, expect, test } from '@jest/globals';
import { AddressRate } from './address-rate.ts';

describe('the rate of an address', () => {
  test('lets so many a minute through at once, then one whenever its time has come', () => {
    let now = 1_000;
    const rate = new AddressRate(60, () => now);
    for (let i = 0; i < 60; i += 1) expect(rate.take('10.0.0.1')).toBe(0);
    expect(rate.take('10.0.0.1')).toBe(1_000);
    now += 400;
    expect(rate.take('10.0.0.1')).toBe(600);
    now += 600;
    expect(rate.take('10.0.0.1')).toBe(0);
    expect(rate.take('10.0.0.1')).toBe(1_000);
  });

  test('never saves up more than a minute', () => {
    let now = 0;
    const rate = new AddressRate(2, () => now);
    rate.take('10.0.0.1');
    now += 3_600_000;
    expect([1, 2, 3].map(() => rate.take('10.0.0.1') === 0)).toEqual([true, true, false]);
  });

  test.each([
    ['10.0.0.1', '10.0.0.2'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.2'],
  ])('%s does not use up what %s has', (one, other) => {
    const rate = new AddressRate(1, () => 0);
    expect([rate.take(one), rate.take(other)]).toEqual([0, 0]);
  });

  test.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:a:b:c:d'],
    ['2001:db8::1', '2001:db8::2:1'],
  ])('%s and %s are in one network and share', (one, other) => {
    const rate = new AddressRate(1, () => 0);
    rate.take(one);
    expect(rate.take(other)).toBeGreaterThan(0);
  });
});
