/** Injection symbol of the {@link ReadingLog}. */
export const READING_LOG = Symbol('READING_LOG');

/** One message of the log: the group of batches that one append made durable (see log-body.ts for what `body` holds). */
export interface LogMessage {
  /** Position in the log; ascending, never used twice in one log. */
  seq: number;
  body: string;
}

/** Messages to be written to the store; each drain is settled by exactly one of `ack` and `release`. */
export interface Drain {
  /** The log these messages are of: `id` of the log as it was when they were handed out. */
  logId: string;
  messages: LogMessage[];
  /** No message with a `seq` up to this one can ever be delivered again. */
  floor: number;
  /** The store has all of it durably: the log may forget these messages. */
  ack(): Promise<void>;
  /** It could not be written: deliver these messages again, to this writer or another one. */
  release(): Promise<void>;
}

/** What waits in the log to be written. */
export interface Backlog {
  messages: number;
  bytes: number;
}

/** A message that nobody could parse or store, put aside with the reason. */
export interface DeadLetter {
  id: number;
  /** When it was put aside, ms since the epoch. */
  at: number;
  reason: string;
  body: string;
}

/**
 * The durable queue between the doors and the store. Two adapters: JetStream and SQLite; one contract suite runs against both.
 */
export interface ReadingLog {
  /** Identity of this log; another one after the log was lost or made anew, since `seq` then starts again. Known after `start`. */
  readonly id: string;
  /** How many appends may be in flight at once; the group commit gathers company while all are taken. */
  readonly appendsInFlight: number;
  /** Opens or creates the log; after it resolves, an append is seen by writers even if none is running yet. */
  start(): Promise<void>;
  /** Finishes what is in flight and closes. */
  stop(): Promise<void>;
  /**
   * Resolves once `body` is on stable storage.
   * Rejects with `BUSY` and `retryAfterMs` when the log is full or away: the sender must send again.
   * Rejects with `BODY_TOO_LARGE` when the log can never take a body of this size.
   */
  append(body: string): Promise<void>;
  /**
   * Waits for messages, then up to `lingerMs` for company until there are about `maxBytes`, and hands them out in order.
   * Resolves with `undefined` once `signal` is aborted.
   */
  drain(options: { maxBytes: number; lingerMs: number; signal: AbortSignal }): Promise<Drain | undefined>;
  backlog(): Promise<Backlog>;
  /** Every message that is not yet acknowledged by a writer, in order. */
  pending(): AsyncIterable<LogMessage>;
  /** Resolves with true once everything appended before the call is acknowledged by a writer, with false after `timeoutMs`. */
  settled(timeoutMs: number): Promise<boolean>;
  /** Puts a message of the current drain aside, durably, before the drain is acknowledged. */
  bury(message: LogMessage, reason: string): Promise<void>;
  /** Dead letters with an id above `after`, oldest first. */
  deadLetters(after: number, limit: number): Promise<DeadLetter[]>;
  /** Appends a dead letter to the log again and removes it from the dead letters; false if there is none with this id. */
  replay(id: number): Promise<boolean>;
}
