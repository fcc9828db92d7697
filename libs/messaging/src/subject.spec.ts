import { expect, test } from '@jest/globals';
import { subjectMatches } from './subject.ts';

test.each([
  ['live.a', 'live.a', true],
  ['live.a', 'live.b', false],
  ['live.*', 'live.a', true],
  ['live.*', 'live.a.b', false],
  ['live.*', 'live', false],
  ['*.a', 'live.a', true],
  ['link.*.down', 'link.a.down', true],
  ['link.*.down', 'link.a.up', false],
  ['link.a.>', 'link.a.down', true],
  ['link.a.>', 'link.a.down.now', true],
  ['link.a.>', 'link.a', false],
  ['>', 'anything.at.all', true],
])('%s and %s: %s', (pattern, subject, matched) => {
  expect(subjectMatches(pattern, subject)).toBe(matched);
});
