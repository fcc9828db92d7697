import { expect, test } from '@jest/globals';
import { readOptions } from './options.ts';

test('both modes are measured unless one is named', () => {
  expect(readOptions([])).toMatchObject({ embedded: true, servers: true, seconds: 5, rounds: 2 });
  expect(readOptions(['--embedded', '--seconds', '10'])).toMatchObject({ embedded: true, servers: false, seconds: 10 });
  expect(readOptions(['--servers'])).toMatchObject({ embedded: false, servers: true });
});

test('a wrong option is named', () => {
  expect(() => readOptions(['--seconds', 'ten'])).toThrow(/--seconds/);
  expect(() => readOptions(['--fast'])).toThrow(/--fast/);
});
