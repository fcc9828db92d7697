import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalMac, MacAddress } from './mac-address.ts';

const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 20 });
const hex = (octet: number) => octet.toString(16).padStart(2, '0');

describe('a MAC address', () => {
  test('has one canonical form, whatever its notation and case', () => {
    fc.assert(
      fc.property(octets, fc.boolean(), (bytes, upper) => {
        const canonical = bytes.map(hex).join(':').toUpperCase();
        const notations = [bytes.map(hex).join(':'), bytes.map(hex).join('-'), bytes.map(hex).join('')];
        for (const text of notations) expect(canonicalMac(upper ? text.toUpperCase() : text)).toBe(canonical);
      }),
    );
  });

  test('may be written with dots between groups of four digits', () => {
    expect(canonicalMac('ce13.1415.a0ff')).toBe('CE:13:14:15:A0:FF');
  });

  test('keeps its canonical form when it is parsed again', () => {
    fc.assert(
      fc.property(octets, (bytes) => {
        const once = MacAddress.parse(bytes.map(hex).join('-'));
        expect(MacAddress.parse(once)).toBe(once);
      }),
    );
  });

  test('is never made of anything but hex digits', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const canonical = canonicalMac(text);
        if (canonical !== undefined) expect(canonical).toMatch(/^[0-9A-F]{2}(:[0-9A-F]{2})*$/);
      }),
    );
  });

  test.each([
    '',
    ' ',
    'C',
    'CE:1',
    'CE:13-14',
    'CE::13',
    ':CE',
    'CE:',
    'XY',
    'CE 13',
    'ce13.14',
    'ce.13',
    '0xCE',
    "CE' OR 1=1",
    'CE\n',
    'ＣＥ',
    'AA'.repeat(21),
  ])('%j is refused', (text) => {
    expect(canonicalMac(text)).toBeUndefined();
  });

  test('a refusal shows what is wanted', () => {
    expect(MacAddress.safeParse('nonsense').error?.issues[0]?.message).toContain('for example "CE:13:14:15"');
  });
});
