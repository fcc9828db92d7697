import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { searchedRanges, termsOf } from './search-terms.ts';

/** In the order of code points, as the databases compare; `<` compares halves of surrogate pairs. */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const boiler = { name: 'Boiler-Room Cellar 2', serial: 'SN/0042-x', macAddress: 'CE:13:14:15' };
const finds = (text: string, device: Parameters<typeof termsOf>[0] = boiler): boolean =>
  searchedRanges(text).every((spellings) =>
    spellings.some(({ from, to }) => termsOf(device).some((term) => compare(from, term) <= 0 && compare(term, to) < 0)),
  );

describe('searching devices', () => {
  test.each([
    'boiler',
    'BOIL',
    'room',
    'cellar boiler',
    'boiler-ro',
    '2',
    'sn/0042',
    '0042',
    'ce1314',
    'CE:13',
    'ce-13-14-15',
    'ce13.1415',
    'ce:',
  ])('%j finds it', (text) => {
    expect(finds(text)).toBe(true);
  });

  test.each(['oiler', 'boiler attic', '42', 'de:13', '13:14'])('%j does not find it', (text) => {
    expect(finds(text)).toBe(false);
  });

  test('finds a device by every beginning of its name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\p{L}\p{N} ._-]{1,64}$/u), fc.nat(), (name, length) => {
        const device = { name, serial: null, macAddress: null };
        expect(finds(Array.from(name.normalize('NFC')).slice(0, length).join(''), device)).toBe(true);
      }),
    );
  });

  test('asks for at most eight words', () => {
    expect(searchedRanges('a b c d e f g h i j')).toHaveLength(8);
  });
});
