import { describe, expect, test } from '@jest/globals';
import { isCached, rangeOf } from './byte-range.ts';

describe('a range of a file of 1,000 bytes', () => {
  test.each<[string, { offset: number; length: number } | undefined]>([
    ['bytes=0-99', { offset: 0, length: 100 }],
    ['bytes=900-', { offset: 900, length: 100 }],
    ['bytes=-100', { offset: 900, length: 100 }],
    ['bytes=-5000', { offset: 0, length: 1_000 }],
    ['bytes=990-5000', { offset: 990, length: 10 }],
    ['bytes=0-0', { offset: 0, length: 1 }],
    ['Bytes= 1-2 ', { offset: 1, length: 2 }],
    ['bytes=5-4', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,5-6', undefined],
    ['lines=0-1', undefined],
    ['bytes=a-b', undefined],
    ['', undefined],
  ])('%s is %j', (header, range) => {
    expect(rangeOf(header, 1_000)).toEqual(range);
  });

  test.each(['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', 'bytes=99999999999999999999-'])(
    '%s is refused',
    (header) => {
      expect(() => rangeOf(header, 1_000)).toThrow(expect.objectContaining({ code: 'RANGE_NOT_SATISFIABLE' }));
    },
  );

  test('is all of it when the file has changed meanwhile, or nothing is asked for', () => {
    expect(rangeOf('bytes=1-2', 1_000, '"old"', '"new"')).toBeUndefined();
    expect(rangeOf('bytes=1-2', 1_000, '"new"', '"new"')).toEqual({ offset: 1, length: 2 });
    expect(rangeOf(undefined, 1_000)).toBeUndefined();
  });
});

test('a file that a client has is known by its entity tag', () => {
  expect(isCached(undefined, '"a"')).toBe(false);
  expect(isCached('"b", W/"a"', '"a"')).toBe(true);
  expect(isCached('*', '"a"')).toBe(true);
  expect(isCached('"b"', '"a"')).toBe(false);
});
