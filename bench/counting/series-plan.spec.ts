import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { numberOf, readingsOf, sensorName, timesOf } from './series-plan.ts';

const plan = { name: 'p', devices: 2, sensors: 3, t0: 1_000 };

test('a device goes round its sensors, and time goes on with each round', () => {
  const reading = readingsOf(plan, 1);
  expect([0, 1, 2, 3].map((n) => [reading(n).sensor, reading(n).ts])).toEqual([
    ['p.1.0', 1_000],
    ['p.1.1', 1_000],
    ['p.1.2', 1_000],
    ['p.1.0', 1_001],
  ]);
});

test('the number of a reading is found in the reading', () => {
  const reading = readingsOf(plan, 0);
  for (let n = 0; n < 20; n += 1) expect(numberOf(plan, reading(n))).toBe(n);
});

test('the times of a sensor are those of its readings', () => {
  fc.assert(
    fc.property(fc.nat(60), fc.nat(60), fc.nat(2), (from, length, sensor) => {
      const reading = readingsOf(plan, 0);
      const numbers = Array.from({ length }, (_, i) => from + i);
      const mine = numbers.map(reading).filter((r) => r.sensor === sensorName(plan, 0, sensor));
      const [first, end] = timesOf([from, from + length], plan, sensor);
      expect(mine.map((r) => r.ts - plan.t0)).toEqual(Array.from({ length: end - first }, (_, i) => first + i));
    }),
  );
});
