import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { linkSubject } from '#contracts';
import { inProcessBus } from '#messaging';
import { createLogger, uuid7 } from '#platform';
import { KeptWills } from './kept-wills.ts';

const deviceId = uuid7();
const will = { kind: 'will', reason: 'lost', topic: 'device/me/will', payload: 'gone' } as const;

describe('the will of a link that was lost', () => {
  const bus = inProcessBus(createLogger('bus', 'silent'));
  let noted: string[];
  let wills: KeptWills;

  beforeEach(() => {
    jest.useFakeTimers();
    noted = [];
    wills = new KeptWills(bus, (id) => noted.push(id));
  });
  afterEach(() => {
    wills.stop();
    jest.useRealTimers();
  });

  it('is published at once, or after its delay', () => {
    wills.keep(deviceId, will, 0);
    expect(noted).toEqual([deviceId]);
    wills.keep(deviceId, will, 5);
    jest.advanceTimersByTime(4_999);
    expect(noted).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(noted).toHaveLength(2);
    expect(bus.reaches(linkSubject(deviceId))).toBe(false);
  });

  it('is taken back by a device that comes again meanwhile, on whatever replica', () => {
    wills.keep(deviceId, will, 5);
    bus.publish(linkSubject(deviceId), JSON.stringify({ type: 'opened', link: uuid7(), via: 'mqtt' }));
    jest.advanceTimersByTime(10_000);
    expect(noted).toEqual([]);
  });
});
