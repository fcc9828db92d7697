import { expect, test } from '@jest/globals';
import { Beats } from './beats.ts';

const at = (beat: number, id = 'a') => ({ id, beat });

test('a replica whose beat goes on is alive, however slowly', () => {
  const beats = new Beats();
  for (let look = 0; look < 20; look += 1) {
    expect(beats.look([at(Math.floor(look / 3))], look * 4_000)).toEqual([]);
  }
});

test('a replica is dead once its beat has stood still for 15 s', () => {
  const beats = new Beats();
  expect(beats.look([at(7), at(1, 'b')], 0)).toEqual([]);
  expect(beats.look([at(7), at(2, 'b')], 5_000)).toEqual([]);
  expect(beats.look([at(7), at(3, 'b')], 14_999)).toEqual([]);
  expect(beats.look([at(7), at(4, 'b')], 15_000)).toEqual([at(7)]);
});

test('a beat that was seen first just now has stood still for no time', () => {
  const beats = new Beats();
  beats.look([], 0);
  expect(beats.look([at(7)], 8_000)).toEqual([]);
  expect(beats.look([at(7)], 16_000)).toEqual([]);
  expect(beats.look([at(7)], 23_000)).toEqual([at(7)]);
});

test('after a time in which nobody could look, nobody is dead yet', () => {
  const beats = new Beats();
  beats.look([at(7)], 0);
  expect(beats.look([at(7)], 60_000)).toEqual([]);
  expect(beats.look([at(7)], 68_000)).toEqual([]);
  expect(beats.look([at(7)], 75_000)).toEqual([at(7)]);
});

test('a replica that comes back after it was gone begins anew', () => {
  const beats = new Beats();
  beats.look([at(1)], 0);
  beats.look([], 8_000);
  expect(beats.look([at(1)], 16_000)).toEqual([]);
});
