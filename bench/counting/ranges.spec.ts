import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Ranges } from './ranges.ts';

const asSet = (ranges: Ranges) => {
  const numbers = new Set<number>();
  for (const [from, to] of ranges) for (let n = from; n < to; n += 1) numbers.add(n);
  return numbers;
};
const someRanges = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 6 }))
    .map(([from, n]) => [from, from + n] as const),
);
const numbersOf = (ranges: readonly (readonly [number, number])[]) =>
  new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)));

describe('a set of integers as ranges', () => {
  test('joins what touches', () => {
    const ranges = new Ranges();
    for (const n of [5, 3, 1, 4]) ranges.add(n);
    expect([...ranges]).toEqual([
      [1, 2],
      [3, 6],
    ]);
    ranges.add(2);
    expect([...ranges]).toEqual([[1, 6]]);
  });

  test('holds what was added, once, in order', () => {
    fc.assert(
      fc.property(someRanges, (given) => {
        const ranges = new Ranges(given);
        expect(asSet(ranges)).toEqual(numbersOf(given));
        expect(ranges.size).toBe(numbersOf(given).size);
        const flat = [...ranges].flat();
        expect(flat).toEqual([...new Set(flat)].sort((a, b) => a - b));
      }),
    );
  });

  test('minus another is what the other does not have', () => {
    fc.assert(
      fc.property(someRanges, someRanges, (a, b) => {
        const left = numbersOf(a);
        for (const n of numbersOf(b)) left.delete(n);
        expect(asSet(new Ranges(a).minus(new Ranges(b)))).toEqual(left);
      }),
    );
  });
});
