import { expect, test } from '@jest/globals';
import { givenAttributes } from './given-attributes.ts';

const update = (version: number, changed: Record<string, unknown>, deleted: string[] = []) => ({
  version,
  changed,
  deleted,
});

test('an update that a device has asked for is not told it again', async () => {
  const given = givenAttributes(new Map());
  given.note(5, ['a', 'b'], Promise.resolve());
  await expect(given.covering(update(5, { a: 1 }, ['b']))).resolves.toBeUndefined();
  expect(given.covering(update(5, { a: 1, c: 2 }))).toBeUndefined();
  expect(given.covering(update(6, { a: 1 }))).toBeUndefined();
});

test('whoever asks for all of them has all up to then', () => {
  const given = givenAttributes(new Map());
  given.note(5, true, Promise.resolve());
  expect(given.covering(update(4, { a: 1 }, ['b']))).toBeDefined();
  expect(given.covering(update(6, {}))).toBeUndefined();
});

test('an answer that did not arrive is none', async () => {
  const given = givenAttributes(new Map());
  given.note(5, true, Promise.reject(new Error('lost')));
  await expect(given.covering(update(5, { a: 1 }))).rejects.toThrow('lost');
});

test('whoever asks for client attributes has no shared ones by that', () => {
  const kept = new Map<symbol, unknown>();
  givenAttributes(kept).note(5, undefined, Promise.resolve());
  expect(givenAttributes(kept).covering(update(1, { a: 1 }))).toBeUndefined();
});
