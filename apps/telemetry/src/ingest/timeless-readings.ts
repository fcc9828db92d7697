import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { upTo } from '#platform';
import type { ParsedReading } from './parse-reading.ts';

const SENSORS_REMEMBERED = 100_000;
const BATCHES_REMEMBERED = 20_000;
/** How long a resend is recognised, in ms. */
const RESEND_MS = 600_000;

/**
 * Gives readings that came without a timestamp the time received. No two of one sensor get the same one, or the second would
 * be taken for the first sent again; and a batch that is sent again under its batch id gets the times it got before, so that it
 * is recognised. Kept in this process only: whoever wants resends to be harmless whatever happens sends timestamps.
 */
export class TimelessReadings {
  private readonly lastTs = new LRUCache<string, number>(upTo(SENSORS_REMEMBERED));
  private readonly stamped = new LRUCache<string, Map<number, number>>({ ...upTo(BATCHES_REMEMBERED), ttl: RESEND_MS });

  /** Sets the timestamps of one device's readings that have none. `batch` identifies a batch that can be sent again. */
  stamp(deviceId: string, readings: readonly ParsedReading[], now: number, batch: string | undefined): void {
    const before = batch === undefined ? undefined : this.stamped.get(batch);
    const times = new Map<number, number>();
    for (const reading of readings) {
      if (!reading.timeless) continue;
      reading.ts = before?.get(reading.index) ?? this.next(deviceId, reading.sensor, now);
      times.set(reading.index, reading.ts);
    }
    if (batch !== undefined) this.stamped.set(batch, times);
  }

  private next(deviceId: string, sensor: string, now: number): number {
    const key = `${deviceId} ${sensor}`;
    const ts = Math.max(now, (this.lastTs.get(key) ?? 0) + 1);
    this.lastTs.set(key, ts);
    return ts;
  }
}

/** What one device's part of a batch is recognised by when it is sent again: its sender, its id and its content. */
export const batchKey = (deviceId: string, callerId: string, batchId: string, payload: unknown): string =>
  `${deviceId} ${callerId} ${batchId} ${createHash('sha256').update(JSON.stringify(payload)).digest('base64')}`;
