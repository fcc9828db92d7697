import { Ranges } from './ranges.ts';
import { sensorName, timesOf, type SeriesPlan } from './series-plan.ts';

/** What the senders know, by device. */
export interface Sent {
  /** Numbers of the readings that left, acknowledged or not; any of them may be in the store. */
  sent: Ranges;
  /** Numbers of the readings that have a receipt; each of them must be in the store. */
  acknowledged: Ranges;
}

/** A series as it is in the store. */
export interface FoundSeries {
  /** Id of the device that the store has it under. */
  deviceId: string;
  sensor: string;
  /** Of its readings, in ms from the plan's t0. */
  times: Ranges;
}

/** Readings. */
export interface Tally {
  acknowledged: number;
  found: number;
  /** Acknowledged and not found. */
  missing: number;
  /** Found and never sent, or sent by another device. */
  foreign: number;
}

/** Compares what was acknowledged with what is found. */
export function tally(plan: SeriesPlan, senders: readonly Sent[], found: Iterable<FoundSeries>): Tally {
  const places = devicePlaces(plan, senders);
  const result = { acknowledged: 0, found: 0, missing: 0, foreign: 0 };
  for (const { acknowledged } of senders) {
    result.acknowledged += acknowledged.size;
  }
  for (const series of found) {
    const place = places.take(series);
    result.found += series.times.size;
    result.foreign += place ? series.times.minus(place.sent).size : series.times.size;
    if (place) result.missing += place.acknowledged.minus(series.times).size;
  }
  for (const place of places.left()) result.missing += place.acknowledged.size;
  return result;
}

/** Hands out what is expected of each series, once; a sensor under two devices, or a device for two of ours, is a stranger. */
function devicePlaces(plan: SeriesPlan, senders: readonly Sent[]) {
  const expected = new Map<string, { device: number; sent: Ranges; acknowledged: Ranges }>();
  senders.forEach((sender, device) => {
    for (let sensor = 0; sensor < plan.sensors; sensor += 1) {
      const inTime = (numbers: Ranges) => new Ranges([...numbers].map((range) => timesOf(range, plan, sensor)));
      expected.set(sensorName(plan, device, sensor), {
        device,
        sent: inTime(sender.sent),
        acknowledged: inTime(sender.acknowledged),
      });
    }
  });
  const owners = new Map<number, string>();
  return {
    take: ({ deviceId, sensor }: FoundSeries) => {
      const place = expected.get(sensor);
      if (!place) return undefined;
      const owner = owners.get(place.device) ?? deviceId;
      const isTaken =
        owner !== deviceId || [...owners].some(([device, id]) => id === deviceId && device !== place.device);
      if (isTaken) return undefined;
      owners.set(place.device, deviceId);
      expected.delete(sensor);
      return place;
    },
    left: () => expected.values(),
  };
}

/** Is nothing lost, and nothing there that should not be? */
export const isSound = ({ missing, foreign }: Tally): boolean => missing === 0 && foreign === 0;
