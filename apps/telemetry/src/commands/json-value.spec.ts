import { expect, test } from '@jest/globals';
import { jsonProblem, MAX_JSON_BYTES } from './json-value.ts';

const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

test.each([null, undefined, true, 1.5, '', 'ü😀', [], {}, { a: [{ b: null }] }, deep(32)])('takes %j', (value) => {
  expect(jsonProblem(value)).toBeUndefined();
});

test('refuses what is too deep, however deep it is', () => {
  expect(jsonProblem(deep(33))).toContain('deeper than 32');
  expect(jsonProblem(deep(200_000))).toContain('deeper than 32');
});

test('refuses what is too large, in bytes', () => {
  expect(jsonProblem('x'.repeat(MAX_JSON_BYTES - 2))).toBeUndefined();
  expect(jsonProblem('x'.repeat(MAX_JSON_BYTES - 1))).toContain('65537 bytes');
  expect(jsonProblem('ü'.repeat(MAX_JSON_BYTES / 2))).toContain('bytes');
});

test('refuses half a character in a text or a key, which a database would', () => {
  expect(jsonProblem({ a: ['\ud800'] })).toContain('half of a character');
  expect(jsonProblem({ '\udc00x': 1 })).toContain('half of a character');
});
