import { beforeEach, describe, expect, it } from '@jest/globals';
import { liveSubject, type Reading } from '#contracts';
import type { Bus } from '#messaging';
import { entryText } from '../reading-log/log-body.ts';
import type { ReadingLog } from '../reading-log/reading-log.ts';
import type { RangeQuery, ReadingStore } from '../reading-store/reading-store.ts';
import type { LiveReadings } from './subscription.ts';
import { Viewers } from './viewers.ts';

const DEVICE = '0198c5a0-0000-7000-8000-000000000001';
const stored = (ts: number, sensor = 'a'): Reading => ({ sensor, ts, value: ts, receivedAt: ts });

let listeners: Map<string, (payload: string) => void>;
let rows: Reading[];
let ranges: RangeQuery[];
let settle: () => Promise<boolean>;
let rangeFails: boolean;
let viewers: Viewers;
let heard: LiveReadings[];

const arrive = (ts: number, sensor = 'a'): void => {
  listeners.get(liveSubject(DEVICE))?.(entryText([DEVICE, ts, 0, [[sensor, ts, ts]]]));
};
const deliver = (event: LiveReadings): void => void heard.push(event);
const timesHeard = (): number[] => heard.flatMap(({ readings }) => readings.map(({ ts }) => ts));

beforeEach(() => {
  listeners = new Map();
  rows = [];
  ranges = [];
  heard = [];
  settle = () => Promise.resolve(true);
  rangeFails = false;
  const bus = {
    subscribe: (subject: string, hear: (payload: string) => void) => {
      listeners.set(subject, hear);
      return () => listeners.delete(subject);
    },
  };
  const store = {
    range: (query: RangeQuery) => {
      ranges.push(query);
      if (rangeFails) return Promise.reject(new Error('the store is away'));
      const wanted = rows.filter(
        ({ ts, sensor }) =>
          ts >= query.from &&
          (query.sensor === undefined || sensor === query.sensor) &&
          (!query.after || ts > query.after.ts),
      );
      return Promise.resolve(wanted.slice(0, query.limit));
    },
  };
  const log = { settled: () => settle() };
  viewers = new Viewers(bus as unknown as Bus, store as unknown as ReadingStore, log as unknown as ReadingLog);
});

describe('a viewer', () => {
  it('hears what arrives, until it no longer wants to', async () => {
    const stop = await viewers.watch(DEVICE, undefined, undefined, deliver);
    arrive(1);
    stop();
    arrive(2);
    expect(heard).toEqual([{ device: DEVICE, readings: [{ sensor: 'a', ts: 1, value: 1, receivedAt: 1 }] }]);
    expect(listeners.size).toBe(0);
  });

  it('of some sensors hears only those', async () => {
    await viewers.watch(DEVICE, ['b'], undefined, deliver);
    arrive(1, 'a');
    arrive(2, 'b');
    expect(timesHeard()).toEqual([2]);
  });

  it('shares the subscription with others, which lasts until the last one is gone', async () => {
    const stopFirst = await viewers.watch(DEVICE, undefined, undefined, () => undefined);
    const stopSecond = await viewers.watch(DEVICE, undefined, undefined, deliver);
    stopFirst();
    arrive(1);
    expect(timesHeard()).toEqual([1]);
    stopSecond();
    expect(listeners.size).toBe(0);
  });
});

describe('a viewer that comes back with `since`', () => {
  it('gets what was stored from then on, then what arrived meanwhile, then what arrives', async () => {
    rows = [stored(5), stored(10), stored(20)];
    let settled = (): void => undefined;
    settle = () => new Promise((resolve) => (settled = () => resolve(true)));
    const watching = viewers.watch(DEVICE, undefined, 10, deliver);
    arrive(30);
    expect(heard).toEqual([]);
    settled();
    await watching;
    arrive(40);
    expect(timesHeard()).toEqual([10, 20, 30, 40]);
    expect(heard.map(({ replay }) => replay)).toEqual([true, undefined, undefined]);
  });

  it.each(['the log', 'the store', 'the viewer'])('leaves nothing behind when %s fails', async (what) => {
    rows = [stored(5)];
    if (what === 'the log') settle = () => Promise.reject(new Error('the log is away'));
    if (what === 'the store') rangeFails = true;
    const fails = () => Promise.reject(new Error('the viewer is gone'));
    await expect(viewers.watch(DEVICE, undefined, 0, what === 'the viewer' ? fails : deliver)).rejects.toThrow(
      /away|gone/,
    );
    expect(listeners.size).toBe(0);
  });

  it('gets everything, however many pages that are', async () => {
    rows = Array.from({ length: 2_500 }, (_, index) => stored(index));
    await viewers.watch(DEVICE, undefined, 0, deliver);
    expect(timesHeard()).toHaveLength(2_500);
    expect(ranges).toHaveLength(3);
  });
});
