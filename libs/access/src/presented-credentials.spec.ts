import { describe, expect, test } from '@jest/globals';
import { areWithinBounds, bearerToken, credentialsOf, handshakeCredentials } from './presented-credentials.ts';

const basic = (text: string | Buffer): string => `Basic ${Buffer.from(text).toString('base64')}`;
const token = (text: string) => ({ kind: 'token', token: text });
const password = (userName: string, secret: string) => ({ kind: 'password', userName, password: secret });

test.each([
  ['Bearer abc.def', 'abc.def'],
  ['bearer   abc  ', 'abc'],
  ['Basic abc', undefined],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  ['', undefined],
  [undefined, undefined],
])('the token of %j is %j', (header, expected) => {
  expect(bearerToken(header)).toBe(expected);
});

describe('the credentials of an Authorization header', () => {
  test.each<[string | undefined, unknown]>([
    ['Bearer abc', token('abc')],
    [basic('abc123/44:8A:5B:9C:70:93:secret'), password('abc123/44:8A:5B:9C:70:93', 'secret')],
    [basic('name:secret').replace('Basic', 'bAsIc'), password('name', 'secret')],
    [basic('größe:ü'), password('größe', 'ü')],
    [basic(':'), password('', '')],
    [basic('name:'), password('name', '')],
    [basic('no colon'), undefined],
    ['Basic', undefined],
    ['Basic ', undefined],
    ['Basic !!!', undefined],
    ['Basic bmFtZTpzZWNyZXQ= bmFtZTpzZWNyZXQ=', undefined],
    ['Digest username="x"', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j', (header, expected) => {
    expect(credentialsOf(header)).toEqual(expected);
  });
});

describe('the credentials of a handshake', () => {
  test.each<[unknown, string | undefined, unknown]>([
    [{ token: 'abc' }, undefined, token('abc')],
    [{ userName: 'name', password: 'a:b' }, undefined, password('name', 'a:b')],
    [{ token: 'abc', userName: 'name', password: 'secret' }, undefined, token('abc')],
    [{ token: 'abc' }, 'Bearer def', token('abc')],
    [{}, 'Bearer def', token('def')],
    [{}, basic('name:secret'), password('name', 'secret')],
    [{ token: 7 }, undefined, undefined],
    [{ userName: 'name' }, undefined, undefined],
    [{ userName: { $gt: '' }, password: 'x' }, undefined, undefined],
    [null, undefined, undefined],
    ['abc', undefined, undefined],
    [['abc'], undefined, undefined],
  ])('%j with the header %j', (auth, header, expected) => {
    expect(handshakeCredentials(auth, header)).toEqual(expected);
  });
});

test('what is larger than any credentials of ours is out of bounds', () => {
  const large = 'x'.repeat(4_097);
  expect(areWithinBounds({ kind: 'token', token: 'x'.repeat(4_096) })).toBe(true);
  expect(areWithinBounds({ kind: 'token', token: large })).toBe(false);
  expect(areWithinBounds({ kind: 'password', userName: 'x'.repeat(257), password: 'x' })).toBe(false);
  expect(areWithinBounds({ kind: 'password', userName: 'x', password: large })).toBe(false);
});
