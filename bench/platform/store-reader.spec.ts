import { expect, test } from '@jest/globals';
import { foundSeries, type StoreReader } from './store-reader.ts';

const plan = { name: 'p', devices: 1, sensors: 2, t0: 100 };
const reader: StoreReader = {
  series: async (prefix) => [
    { id: 1, deviceId: 'A', sensor: `${prefix}0.0`, count: 3, first: 100, last: 102 },
    { id: 2, deviceId: 'A', sensor: `${prefix}0.1`, count: 2, first: 100, last: 102 },
  ],
  times: async (id) => (id === 2 ? [100, 102] : []),
  close: async () => undefined,
};

test('a series without a gap is known from its ends, another one by all its times', async () => {
  const found = await foundSeries(reader, plan);
  expect(found.map(({ sensor, times }) => [sensor, ...times])).toEqual([
    ['p.0.0', [0, 3]],
    ['p.0.1', [0, 1], [2, 3]],
  ]);
});
