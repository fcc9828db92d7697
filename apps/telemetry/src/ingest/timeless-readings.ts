import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LogReading } from '../reading-log/log-body.ts';

/** A reading without a timestamp of its own, the device it belongs to, and its place in the batch. */
export interface TimelessReading {
  deviceId: string;
  reading: LogReading;
  index: number;
}

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
  private readonly lastTs = new LRUCache<string, number>({ max: SENSORS_REMEMBERED });
  private readonly stamped = new LRUCache<string, Map<number, number>>({ max: BATCHES_REMEMBERED, ttl: RESEND_MS });

  /** Sets the timestamp of each reading. `batch` identifies a batch that can be sent again. */
  stamp(readings: readonly TimelessReading[], now: number, batch: string | undefined): void {
    const before = batch === undefined ? undefined : this.stamped.get(batch);
    const times = new Map<number, number>();
    for (const { deviceId, reading, index } of readings) {
      const ts = before?.get(index) ?? this.next(deviceId, reading[0], now);
      reading[1] = ts;
      times.set(index, ts);
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

/** What a batch is recognised by when it is sent again: its sender, its id and its content. */
export const batchKey = (callerId: string, batchId: string, payload: unknown): string =>
  `${callerId} ${batchId} ${createHash('sha256').update(JSON.stringify(payload)).digest('base64')}`;
