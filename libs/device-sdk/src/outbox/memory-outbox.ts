import type { ReadingInput } from '#contracts';
import {
  type Outbox,
  type OutboxBounds,
  type OutboxEntry,
  OutboxFullError,
  type PeekLimit,
  type PutResult,
  type SizedReading,
  measure,
  sumBytes,
  takeWithin,
  withinBounds,
} from './outbox.ts';

const DEFAULTS: OutboxBounds = { maxReadings: 100_000, maxBytes: 32 * 1_048_576, whenFull: 'reject' };

/** Keeps readings in memory: they outlive a lost connection, not the process. */
export class MemoryOutbox implements Outbox {
  private readonly bounds: OutboxBounds;
  private readonly entries = new Map<number, OutboxEntry>();
  private waitingBytes = 0;
  private newestSeq = 0;

  constructor(bounds: Partial<OutboxBounds> = {}) {
    this.bounds = { ...DEFAULTS, ...bounds };
  }

  get count(): number {
    return this.entries.size;
  }

  get bytes(): number {
    return this.waitingBytes;
  }

  get oldestSeq(): number | undefined {
    const [oldest] = this.entries.keys();
    return oldest;
  }

  get lastSeq(): number {
    return this.newestSeq;
  }

  async open(): Promise<void> {}

  async put(readings: readonly ReadingInput[]): Promise<PutResult> {
    const sized = readings.map(measure);
    const bytes = sumBytes(sized);
    const dropped = this.makeRoom(sized.length, bytes);
    sized.forEach((reading) => this.append(reading));
    return { bytes, dropped };
  }

  async peek(afterSeq: number, limit: PeekLimit): Promise<OutboxEntry[]> {
    const after: OutboxEntry[] = [];
    for (const entry of this.entries.values()) {
      if (after.length >= limit.readings) break;
      if (entry.seq > afterSeq) after.push(entry);
    }
    return takeWithin(after, limit);
  }

  settle(entries: readonly OutboxEntry[]): number {
    return entries.filter((entry) => this.forget(entry)).length;
  }

  async close(): Promise<void> {}

  private makeRoom(readings: number, bytes: number): number {
    if (!withinBounds(readings, bytes, this.bounds)) throw new OutboxFullError(this.bounds);
    let dropped = 0;
    while (!withinBounds(this.count + readings, this.bytes + bytes, this.bounds)) {
      const [oldest] = this.entries.values();
      if (this.bounds.whenFull === 'reject' || !oldest) throw new OutboxFullError(this.bounds);
      this.forget(oldest);
      dropped += 1;
    }
    return dropped;
  }

  private append({ reading, bytes }: SizedReading): void {
    this.newestSeq += 1;
    this.entries.set(this.newestSeq, { seq: this.newestSeq, reading, bytes });
    this.waitingBytes += bytes;
  }

  private forget({ seq, bytes }: OutboxEntry): boolean {
    const waiting = this.entries.delete(seq);
    if (waiting) this.waitingBytes -= bytes;
    return waiting;
  }
}
