import { expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { Grouped } from './grouped.ts';

test('does what comes at the same time together, and what comes meanwhile together after that', async () => {
  const groups: number[][] = [];
  let release: () => void = () => undefined;
  const grouped = new Grouped<number, number>(async (items) => {
    groups.push(items);
    if (groups.length === 1) await new Promise<void>((resolve) => (release = resolve));
    return items.map((item) => item * 10);
  }, 100);
  const first = [grouped.add(1), grouped.add(2)];
  while (groups.length === 0) await new Promise(setImmediate);
  const second = [grouped.add(3), grouped.add(4), grouped.add(5)];
  release();
  expect(await Promise.all([...first, ...second])).toEqual([10, 20, 30, 40, 50]);
  expect(groups).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
});

test('makes no group larger than it may be', async () => {
  const sizes: number[] = [];
  const grouped = new Grouped<number, number>(async (items) => {
    sizes.push(items.length);
    return items;
  }, 3);
  await Promise.all(Array.from({ length: 7 }, (_, item) => grouped.add(item)));
  expect(sizes).toEqual([3, 3, 1]);
});

test('one that cannot be done does not keep the others from being done', async () => {
  const grouped = new Grouped<number, number>(async (items) => {
    if (items.includes(13)) throw new Error('not this one');
    return items;
  }, 100);
  const results = await Promise.allSettled([1, 13, 2].map((item) => grouped.add(item)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('during an outage each is tried once, with its group', async () => {
  let tries = 0;
  const grouped = new Grouped<number, number>(async () => {
    tries += 1;
    throw new CodedError('UNAVAILABLE', 'away');
  }, 100);
  const results = await Promise.allSettled([1, 2, 3].map((item) => grouped.add(item)));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(tries).toBe(1);
  await grouped.idle();
});
