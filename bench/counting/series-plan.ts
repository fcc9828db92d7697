import type { Range } from './ranges.ts';

/**
 * Which readings a load sends, so that what is found can be checked by arithmetic: device `d` sends its readings number 0, 1, 2 ...;
 * number `n` is of sensor `n % sensors`, at `t0 + floor(n / sensors)`. No two loads share a name, no two devices a sensor name.
 */
export interface SeriesPlan {
  /** Letters, digits and dashes. */
  name: string;
  devices: number;
  /** Of each device. */
  sensors: number;
  /** Time of the first readings, ms since the epoch. */
  t0: number;
}

/** A reading as it is sent. */
export interface PlannedReading {
  sensor: string;
  value: number;
  ts: number;
}

export const sensorName = (plan: SeriesPlan, device: number, sensor: number): string =>
  `${plan.name}.${device}.${sensor}`;

/** Makes the readings of one device by their number. */
export function readingsOf(plan: SeriesPlan, device: number): (n: number) => PlannedReading {
  const names = Array.from({ length: plan.sensors }, (_, sensor) => sensorName(plan, device, sensor));
  return (n) => ({
    sensor: names[n % plan.sensors] ?? '',
    value: 20 + (n % 1_000) / 100,
    ts: plan.t0 + Math.floor(n / plan.sensors),
  });
}

/** The number of a device's reading, from its sensor and time. */
export function numberOf(plan: SeriesPlan, reading: { sensor: string; ts: number }): number {
  const sensor = Number(reading.sensor.slice(reading.sensor.lastIndexOf('.') + 1));
  return (reading.ts - plan.t0) * plan.sensors + sensor;
}

/** The times, from t0, at which one sensor has a reading among a device's readings of these numbers. */
export const timesOf = ([from, to]: Range, plan: SeriesPlan, sensor: number): Range => [
  Math.ceil((from - sensor) / plan.sensors),
  Math.ceil((to - sensor) / plan.sensors),
];
