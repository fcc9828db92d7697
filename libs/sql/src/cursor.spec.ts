import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './cursor.ts';

describe('a cursor', () => {
  test('comes back as the position that it was made of', () => {
    fc.assert(
      fc.property(fc.option(fc.string({ unit: 'grapheme' })), fc.uuid(), (value, id) => {
        expect(decodeCursor('-name', encodeCursor('-name', { value, id }))).toEqual({ value, id });
      }),
    );
  });

  test('is refused in a list with another order', () => {
    const cursor = encodeCursor('name', { value: 'a', id: '00000000-0000-7000-8000-000000000001' });
    expect(() => decodeCursor('-name', cursor)).toThrow(/with the same sort/);
  });

  test('is refused if it is anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (text) => {
        expect(() => decodeCursor('name', text)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
        const encoded = Buffer.from(text).toString('base64url');
        expect(() => decodeCursor('name', encoded)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
      }),
    );
  });
});
