import { describe, expect, it } from '@jest/globals';
import { createRate, leftovers, statusLine } from './status-line.ts';

const stats = { queued: 34, sent: 1_234_567, acknowledged: 1_234_000, resent: 500, rejected: 33, dropped: 0 };

describe('the line of a fleet', () => {
  it('counts everything', () => {
    expect(statusLine({ stats, connections: { up: 99, of: 100 }, transport: 'mqtt', rate: 998.4 })).toBe(
      '99/100 connected by mqtt · sent 1,234,567 · acknowledged 1,234,000 · resent 500 · rejected 33 · queued 34 · 998/s',
    );
  });

  it('tells of dropped readings if there are any', () => {
    expect(
      statusLine({ stats: { ...stats, dropped: 5 }, connections: { up: 1, of: 1 }, transport: 'socket', rate: 0 }),
    ).toContain('· dropped 5 ·');
  });

  it('measures the rate since it was asked last', () => {
    let now = 0;
    const rateOf = createRate(() => now);
    now = 2_000;
    expect(rateOf(500)).toBe(250);
    now = 3_000;
    expect(rateOf(500)).toBe(0);
  });

  it('says where readings without a receipt are', () => {
    expect(leftovers(0, undefined)).toBeUndefined();
    expect(leftovers(3, undefined)).toMatch(/^3 readings have no receipt and are gone/);
    expect(leftovers(3, '/var/outbox')).toMatch(/kept in \/var\/outbox/);
  });
});
