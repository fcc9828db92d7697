import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReadingInput } from '#contracts';
import { FileOutbox } from './file-outbox.ts';
import { MemoryOutbox } from './memory-outbox.ts';
import { type Outbox, type OutboxBounds, OutboxFullError, measure } from './outbox.ts';

const reading = (n: number): ReadingInput => ({ sensor: 'temperature', value: n, ts: 1_700_000_000_000 + n });
const readings = (from: number, count: number): ReadingInput[] =>
  Array.from({ length: count }, (_, i) => reading(from + i));
const EACH = measure(reading(0)).bytes;
const ALL = { readings: 1_000_000, bytes: 1_000_000_000 };

const adapters: [string, (folder: string, bounds: Partial<OutboxBounds>) => Outbox][] = [
  ['in memory', (_, bounds) => new MemoryOutbox(bounds)],
  ['in files', (folder, bounds) => new FileOutbox({ folder, segmentBytes: 400, ...bounds })],
];

describe.each(adapters)('an outbox %s', (_, create) => {
  let folder: string;
  let outbox: Outbox;

  const start = async (bounds: Partial<OutboxBounds> = {}) => {
    outbox = create(folder, bounds);
    await outbox.open();
  };
  const values = async (after = 0) => (await outbox.peek(after, ALL)).map((entry) => entry.reading.value);
  const drain = async () => {
    const seen: unknown[] = [];
    for (let after = 0; ;) {
      const entries = await outbox.peek(after, ALL);
      if (entries.length === 0) return seen;
      seen.push(...entries.map((entry) => entry.reading.value));
      after = entries.at(-1)?.seq ?? after;
    }
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-'));
  });

  afterEach(async () => {
    await outbox.close();
    await rm(folder, { recursive: true });
  });

  it('is empty at first', async () => {
    await start();
    expect([outbox.count, outbox.bytes, outbox.oldestSeq, await values()]).toEqual([0, 0, undefined, []]);
  });

  it('gives readings back as they were put, in their order', async () => {
    await start();
    const rich: ReadingInput = {
      device: 'd',
      sensor: 's',
      value: { 'a\nb': '°C "x"' },
      unit: '%',
      location: { lat: 1, lon: 2 },
      ts: 3,
    };
    await outbox.put([rich]);
    await outbox.put(readings(1, 2));
    const entries = await outbox.peek(0, ALL);
    expect(entries.map((entry) => entry.reading)).toEqual([rich, reading(1), reading(2)]);
    expect(outbox.count).toBe(3);
    expect(outbox.bytes).toBe(measure(rich).bytes + 2 * EACH);
  });

  it('keeps the order of puts that were made at the same time', async () => {
    await start();
    await Promise.all(readings(0, 200).map((one) => outbox.put([one])));
    expect(await drain()).toEqual(readings(0, 200).map((one) => one.value));
  });

  it('shows no more than was asked for, but one reading at least', async () => {
    await start();
    await outbox.put(readings(0, 5));
    expect(await outbox.peek(0, { readings: 2, bytes: 10_000 })).toHaveLength(2);
    expect(await outbox.peek(0, { readings: 100, bytes: 3 * (EACH + 1) })).toHaveLength(3);
    expect(await outbox.peek(0, { readings: 100, bytes: 1 })).toHaveLength(1);
  });

  it('shows what comes after a position', async () => {
    await start();
    await outbox.put(readings(0, 5));
    const [, second] = await outbox.peek(0, ALL);
    expect(await values(second?.seq)).toEqual([2, 3, 4]);
  });

  it('forgets what is settled, in any order and once', async () => {
    await start();
    await outbox.put(readings(0, 5));
    const entries = await outbox.peek(0, ALL);
    const [first, second, third] = entries;
    expect(outbox.settle(entries.slice(1, 3))).toBe(2);
    expect(outbox.settle(entries.slice(1, 3))).toBe(0);
    expect(await values()).toEqual([0, 3, 4]);
    expect(outbox.oldestSeq).toBe(first?.seq);
    expect(outbox.settle(entries.slice(0, 3))).toBe(1);
    expect(outbox.oldestSeq).toBeGreaterThan(Math.max(second?.seq ?? NaN, third?.seq ?? NaN));
    expect([outbox.count, outbox.bytes]).toEqual([2, 2 * EACH]);
  });

  it('never gives a position to two readings', async () => {
    await start();
    const seen: number[] = [];
    for (let round = 0; round < 30; round += 1) {
      await outbox.put(readings(round * 3, 3));
      const entries = await outbox.peek(0, ALL);
      seen.push(...entries.map((entry) => entry.seq));
      outbox.settle(entries);
    }
    expect(new Set(seen).size).toBe(90);
    expect(outbox.lastSeq).toBe(Math.max(...seen));
  });

  it('refuses new readings when it is full, and takes them again when there is room', async () => {
    await start({ maxReadings: 3, whenFull: 'reject' });
    await outbox.put(readings(0, 3));
    await expect(outbox.put([reading(3)])).rejects.toThrow(OutboxFullError);
    outbox.settle(await outbox.peek(0, { readings: 1, bytes: 0 }));
    await outbox.put([reading(4)]);
    expect(await drain()).toEqual([1, 2, 4]);
  });

  it('is bounded in bytes as well', async () => {
    await start({ maxBytes: 3 * EACH, whenFull: 'reject' });
    await outbox.put(readings(0, 3));
    await expect(outbox.put([reading(3)])).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
  });

  it('lets the oldest give way if it is set to, and says how many', async () => {
    await start({ maxReadings: 10, whenFull: 'drop-oldest' });
    expect(await outbox.put(readings(0, 10))).toMatchObject({ dropped: 0 });
    expect(await outbox.put(readings(10, 3))).toMatchObject({ dropped: 3 });
    expect(await drain()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await expect(outbox.put(readings(20, 11))).rejects.toThrow(OutboxFullError);
    expect(outbox.count).toBe(10);
  });

  it('lets the oldest give way to puts made at the same time', async () => {
    await start({ maxReadings: 10, whenFull: 'drop-oldest' });
    const results = await Promise.all(readings(0, 100).map((one) => outbox.put([one])));
    expect(results.reduce((sum, result) => sum + result.dropped, 0)).toBe(90);
    expect(await drain()).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });
});
