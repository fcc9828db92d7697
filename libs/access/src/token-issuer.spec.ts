import { describe, expect, test } from '@jest/globals';
import { claimedIssuer } from './token-issuer.ts';

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const jwtOf = (payload: unknown): string => `${part({ alg: 'none' })}.${part(payload)}.`;

describe('whom a token says it is of', () => {
  test('is its claim, whatever else is in it', () => {
    expect(claimedIssuer(jwtOf({ iss: 'fieldline-devices', sub: 7 }))).toBe('fieldline-devices');
  });

  test.each<[string, string]>([
    ['no dot', 'abc'],
    ['one dot', 'abc.def'],
    ['four parts', `${jwtOf({ iss: 'x' })}.x`],
    ['empty parts', '..'],
    ['no base64', 'a.%%%.c'],
    ['no JSON', jwtOf('{"iss":')],
    ['a list', jwtOf(['fieldline-devices'])],
    ['null', jwtOf(null)],
    ['a text', jwtOf('"fieldline-devices"')],
    ['an issuer that is an object', jwtOf({ iss: { toString: 'fieldline-devices' } })],
    ['a list of issuers', jwtOf({ iss: ['fieldline-devices'] })],
    ['no issuer', jwtOf({ sub: 'x' })],
    ['an issuer of its prototype', jwtOf('{"__proto__":{"iss":"fieldline-devices"}}')],
    ['bytes that are no text', `a.${Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')}.c`],
    ['deep nesting', jwtOf('['.repeat(2_000))],
  ])('is nothing with %s', (_what, token) => {
    expect(claimedIssuer(token)).toBeUndefined();
  });
});
