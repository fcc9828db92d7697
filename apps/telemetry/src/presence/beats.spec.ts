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
  for (const now of [0, 4_000, 8_000, 12_000, 14_999]) {
    expect(beats.look([at(7), at(now, 'b')], now)).toEqual([]);
  }
  expect(beats.look([at(7), at(-1, 'b')], 15_000)).toEqual([at(7)]);
});

test('a beat that was seen first just now has stood still for no time', () => {
  const beats = new Beats();
  beats.look([], 0);
  for (const now of [4_000, 8_000, 12_000, 16_000]) expect(beats.look([at(7)], now)).toEqual([]);
  expect(beats.look([at(7)], 20_000)).toEqual([at(7)]);
});

test('after a time in which nobody could look, nobody is dead yet', () => {
  const beats = new Beats();
  for (const now of [0, 4_000, 8_000]) beats.look([at(7)], now);
  expect(beats.look([at(7)], 600_000)).toEqual([]);
  expect(beats.look([at(8)], 604_000)).toEqual([]);
});

test('a replica that looks seldom, because it is busy, still finds the dead', () => {
  const beats = new Beats();
  for (const now of [0, 11_000, 22_000]) expect(beats.look([at(7)], now)).toEqual([]);
  expect(beats.look([at(7)], 33_000)).toEqual([at(7)]);
});

test('a replica that comes back after it was gone begins anew', () => {
  const beats = new Beats();
  for (const now of [0, 4_000, 8_000, 12_000]) beats.look([at(1)], now);
  beats.look([], 14_000);
  expect(beats.look([at(1)], 16_000)).toEqual([]);
});
