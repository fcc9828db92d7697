import type { ReadingInput } from '#contracts';
import type { SimulatedSensor } from './signals.ts';

/**
 * The readings of a device that takes `rate` of them a second, its sensors in turn, from `startTs` on. Each call of the returned
 * function gives those that have become due since the last; their times are exact and never the same for one sensor.
 */
export function createSchedule(sensors: readonly SimulatedSensor[], rate: number, startTs: number) {
  let taken = 0;
  return (now: number): ReadingInput[] => {
    const due = Math.floor(((now - startTs) * rate) / 1_000);
    const readings: ReadingInput[] = [];
    for (; taken < due; taken += 1) {
      const ts = startTs + Math.floor(((taken + 1) * 1_000) / rate);
      const sensor = sensors[taken % sensors.length];
      if (sensor) readings.push(sensor.read(ts));
    }
    return readings;
  };
}
