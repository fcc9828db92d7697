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

/** Readings that are due, at a rate that can be changed and for times that can be left out. */
export interface Pace {
  /** Readings of all sensors that have become due since the last call. */
  takeDue(now: number): ReadingInput[];
  /** Readings a second from `now` on; what was due before is not made up for. */
  setRate(rate: number, now: number): void;
  /** Takes no readings until then (ms since the epoch). */
  pauseUntil(ts: number): void;
}

/** Schedules of several devices, each with sensors and a start of its own, that keep one rate. */
export function createPace(
  devices: readonly { sensors: readonly SimulatedSensor[]; startTs: number }[],
  rate: number,
): Pace {
  let schedules = devices.map(({ sensors, startTs }) => createSchedule(sensors, rate, startTs));
  let current = rate;
  let resumeAt = -Infinity;
  const restart = (from: number) => {
    schedules = devices.map(({ sensors }) => createSchedule(sensors, current, from));
  };
  return {
    takeDue: (now) => (now < resumeAt ? [] : schedules.flatMap((takeDue) => takeDue(now))),
    setRate: (next, now) => {
      current = next;
      restart(Math.max(now, resumeAt));
    },
    pauseUntil: (ts) => {
      resumeAt = ts;
      restart(ts);
    },
  };
}
