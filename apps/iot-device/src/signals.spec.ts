import { describe, expect, it } from '@jest/globals';
import { KNOWN_KINDS, createSensor } from './signals.ts';

const START = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
const read = (name: string, ts: number, seed = 7) => Number(createSensor(name, { sentAs: name, seed }).read(ts).value);
const overDay = (name: string, seed = 7) =>
  Array.from({ length: 1_440 }, (_, minute) => read(name, START + minute * 60_000, seed));
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a simulated sensor', () => {
  it.each([...KNOWN_KINDS, 'anything'])(
    'gives the same %s for the same seed and moment, and another for another',
    (name) => {
      expect(overDay(name)).toEqual(overDay(name));
      expect(overDay(name, 8)).not.toEqual(overDay(name));
    },
  );

  it.each([
    ['temperature', 10, 32],
    ['humidity', 0, 100],
    ['pressure', 995, 1_030],
    ['battery', 4, 100],
    ['illuminance', 0, 900],
    ['vibration', 0, 5],
    ['anything', 0, 100],
  ])('keeps %s between %d and %d', (name, low, high) => {
    for (const seed of [1, 2, 3]) {
      expect(Math.min(...overDay(name, seed))).toBeGreaterThanOrEqual(low);
      expect(Math.max(...overDay(name, seed))).toBeLessThanOrEqual(high);
    }
  });

  it('is warmer in the afternoon than before dawn', () => {
    const day = overDay('temperature');
    expect(mean(day.slice(15 * 60, 17 * 60))).toBeGreaterThan(mean(day.slice(3 * 60, 5 * 60)) + 2);
  });

  it('is drier when it is warmer', () => {
    const warmth = overDay('temperature');
    const damp = overDay('humidity');
    const [meanWarmth, meanDamp] = [mean(warmth), mean(damp)];
    expect(mean(warmth.map((value, i) => (value - meanWarmth) * ((damp[i] ?? 0) - meanDamp)))).toBeLessThan(-1);
  });

  it('sees no light at night and discharges its battery', () => {
    expect(Math.max(...overDay('illuminance').slice(0, 5 * 60))).toBeLessThan(5);
    expect(read('battery', START + DAY / 24)).not.toBe(read('battery', START));
  });

  it('goes from one value to the next without leaps', () => {
    const values = Array.from({ length: 1_000 }, (_, second) => read('temperature', START + second * 1_000));
    const steps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? 0)));
    expect(Math.max(...steps)).toBeLessThan(0.5);
  });

  it('sends unit and location along', () => {
    const sensor = createSensor('temperature', { sentAs: 'temperature-2', seed: 1, location: 'cellar' });
    expect(sensor.read(START)).toMatchObject({ sensor: 'temperature-2', unit: '°C', location: 'cellar', ts: START });
    expect(createSensor('constructor', { sentAs: 'x', seed: 1 }).read(START)).not.toHaveProperty('unit');
  });
});
