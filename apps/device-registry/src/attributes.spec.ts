import { describe, expect, test } from '@jest/globals';
import { attributesProblem } from './attributes.ts';

const nested = (levels: number): unknown => JSON.parse('{"a":'.repeat(levels) + '1' + '}'.repeat(levels));

describe('attributes', () => {
  test.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['values of every kind', { a: 1, b: 'ü 😀', c: null, d: [true, { e: -0.5 }] }],
    ['16 KiB', { a: 'x'.repeat(16_384 - '{"a":""}'.length) }],
    ['32 levels', Object(nested(32))],
  ])('may be %s', (_what, attributes) => {
    expect(attributesProblem(attributes)).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['more than 16 KiB', { a: 'x'.repeat(16_384) }, /at most 16384 bytes/],
    ['16 KiB of two-byte characters', { a: 'ü'.repeat(8_200) }, /at most 16384 bytes/],
    ['very deep', Object(nested(100_000)), /at most 32 levels/],
    ['numbers that are none', { a: [Number.POSITIVE_INFINITY] }, /range of a double/],
    ['half characters', { a: { b: '\ud800' } }, /surrogate/],
    ['half characters in keys', { '\udc00': 1 }, /surrogate/],
  ])('may not be %s', (_what, attributes, reason) => {
    expect(attributesProblem(attributes)).toMatch(reason);
  });
});
