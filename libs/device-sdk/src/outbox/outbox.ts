import type { ReadingInput } from '#contracts';

/** A reading that waits for its receipt. */
export interface OutboxEntry {
  /** Position in the outbox: later readings have larger numbers, which are never used twice while one is waiting. */
  readonly seq: number;
  readonly reading: ReadingInput;
  /** Size as JSON in UTF-8. */
  readonly bytes: number;
}

/** How much an outbox holds, and what becomes of a reading that finds it full. */
export interface OutboxBounds {
  /** Readings that may wait. */
  maxReadings: number;
  /** Bytes of JSON that may wait. */
  maxBytes: number;
  /** `reject`: `put` fails with {@link OutboxFullError}. `drop-oldest`: the oldest give way, and are counted. */
  whenFull: 'reject' | 'drop-oldest';
}

/** What happened to readings that were put. */
export interface PutResult {
  /** Their size as JSON in UTF-8. */
  bytes: number;
  /** How many older readings gave way. */
  dropped: number;
}

/** How much may be looked at in one go. */
export interface PeekLimit {
  readings: number;
  bytes: number;
}

/**
 * Where readings wait until a receipt for them came. Never loses one that `put` resolved for, other than by
 * `drop-oldest`; after a crash it may bring back one that was settled, which the platform takes for the duplicate it is.
 */
export interface Outbox {
  /** Readings waiting. */
  readonly count: number;
  /** Bytes of JSON waiting. */
  readonly bytes: number;
  /** Position of the oldest reading waiting; undefined when none is. */
  readonly oldestSeq: number | undefined;
  /** Position of the newest reading that was ever put. */
  readonly lastSeq: number;
  /** Makes ready; readings kept by an earlier run are waiting afterwards. Rejects with {@link OutboxLockedError}. */
  open(): Promise<void>;
  /** Takes readings in their order; resolves when they are kept as safely as this outbox can. */
  put(readings: readonly ReadingInput[]): Promise<PutResult>;
  /** The oldest waiting readings after position `afterSeq`, within `limit`, but at least one if there is one. */
  peek(afterSeq: number, limit: PeekLimit): Promise<OutboxEntry[]>;
  /** Forgets readings that were accepted or rejected; returns how many of them were still waiting. */
  settle(entries: readonly OutboxEntry[]): number;
  /** Finishes what is being written and lets go of the storage. */
  close(): Promise<void>;
}

/** The outbox is full: thrown to whoever sends, who alone can decide what to do with the reading. */
export class OutboxFullError extends Error {
  readonly code = 'OUTBOX_FULL';

  constructor(bounds: OutboxBounds) {
    super(
      `The outbox is full (${bounds.maxReadings} readings or ${bounds.maxBytes} bytes): ` +
        'wait for receipts, raise its bounds, or let the oldest give way with whenFull: "drop-oldest".',
    );
    this.name = 'OutboxFullError';
  }
}

/** Another process works with the outbox's folder. */
export class OutboxLockedError extends Error {
  readonly code = 'OUTBOX_LOCKED';

  constructor(folder: string, pid: number) {
    super(`The outbox ${folder} is in use by process ${pid}: stop it, or give this one a folder of its own.`);
    this.name = 'OutboxLockedError';
  }
}

/** A reading with its size, before it has a position. */
export interface SizedReading {
  reading: ReadingInput;
  json: string;
  bytes: number;
}

export function measure(reading: ReadingInput): SizedReading {
  const json = JSON.stringify(reading);
  return { reading, json, bytes: Buffer.byteLength(json) };
}

/** Do this many readings and bytes stay within the bounds? */
export const withinBounds = (readings: number, bytes: number, bounds: OutboxBounds): boolean =>
  readings <= bounds.maxReadings && bytes <= bounds.maxBytes;

export const sumBytes = (items: readonly { bytes: number }[]): number =>
  items.reduce((total, item) => total + item.bytes, 0);

/** The longest start of `entries` within `limit`, but at least one. */
export function takeWithin(entries: readonly OutboxEntry[], limit: PeekLimit): OutboxEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += entry.bytes + 1;
    return index > 0 && (index >= limit.readings || bytes > limit.bytes);
  });
  return end === -1 ? [...entries] : entries.slice(0, end);
}
