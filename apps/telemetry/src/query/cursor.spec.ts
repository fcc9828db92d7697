import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCursor, writeCursor } from './cursor.ts';

it('a cursor says where its page ended', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.string(), (ts, sensor) => {
      expect(readCursor(writeCursor({ ts, sensor }))).toEqual({ ts, sensor });
    }),
  );
});

it('what is no cursor is refused with its place', () => {
  for (const text of [
    '',
    'x',
    '%',
    Buffer.from('[1]').toString('base64url'),
    Buffer.from('{"$gt":""}').toString('base64url'),
  ]) {
    expect(() => readCursor(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', errors: [expect.objectContaining({ path: '/cursor' })] }),
    );
  }
});
