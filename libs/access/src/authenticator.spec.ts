import { expect, test } from '@jest/globals';
import { bearerToken } from './authenticator.ts';

test.each([
  ['Bearer abc.def', 'abc.def'],
  ['bearer   abc  ', 'abc'],
  ['Basic abc', undefined],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  ['', undefined],
  [undefined, undefined],
])('the token of %j is %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});
