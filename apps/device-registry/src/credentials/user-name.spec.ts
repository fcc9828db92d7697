import { expect, test } from '@jest/globals';
import { canonicalUserName } from './user-name.ts';

test.each([
  ['abc123/44:8a:5b:9c:70:93', 'abc123/44:8A:5B:9C:70:93'],
  ['abc123/44-8A-5B-9C-70-93', 'abc123/44:8A:5B:9C:70:93'],
  ['abc123/448a5b9c7093', 'abc123/44:8A:5B:9C:70:93'],
  ['abc123/448a.5b9c.7093', 'abc123/44:8A:5B:9C:70:93'],
  ['a/b/448a', 'a/b/44:8A'],
  ['/448a', '/44:8A'],
  ['448a5b9c7093', '448a5b9c7093'],
  ['abc123/pump', 'abc123/pump'],
  ['ABC123/', 'ABC123/'],
  ['448a/pump', '448a/pump'],
  ['', ''],
])('%j is compared as %j', (userName, canonical) => {
  expect(canonicalUserName(userName)).toBe(canonical);
  expect(canonicalUserName(canonical)).toBe(canonical);
});
