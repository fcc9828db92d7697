import { describe, expect, test } from '@jest/globals';
import { typedText } from './typed-text.ts';

describe('a text', () => {
  test.each([
    ['12', 12],
    ['-3.5', -3.5],
    ['007', 7],
    ['.5', 0.5],
    ['0', 0],
    ['-0.001', -0.001],
    ['123456789012345', 123456789012345],
  ])('"%s" that writes a plain decimal is that number', (text, number) => {
    expect(typedText(text)).toBe(number);
  });

  test.each(['', '-', '.', '1.', '1e5', '+5', 'NaN', 'Infinity', '0x10', '1,5', ' 1', '1.2.3', '٣', 'on'])(
    '"%s" that does not stays as it is',
    (text) => {
      expect(typedText(text)).toBe(text);
    },
  );

  test.each(['1234567890123456', '0.12345678901234567', '0'.repeat(40)])(
    '"%s" with more digits than a number keeps stays as it is',
    (text) => {
      expect(typedText(text)).toBe(text);
    },
  );
});
