import type { Logger } from 'pino';
import { CodedError } from '#contracts';
import type { Drain, LogMessage, ReadingLog } from '../reading-log/reading-log.ts';
import type { ReadingStore, WriteResult } from '../reading-store/reading-store.ts';

export interface ReadingWriterOptions {
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Bytes of one drain; default 4 MiB, about 100,000 readings: large sorted writes are what makes stores fast. */
  drainBytes?: number;
  /** How long a drain waits for company, ms; default 50. */
  lingerMs?: number;
  /** Drains that are written at the same time; default 1. */
  lanes?: number;
  /** Called after each drain that was stored. */
  onWrite?: (write: WrittenDrain) => void;
  /** Waits before the next try; resolves early once the signal is aborted. */
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What became of a drain: counts in readings, `dead` in messages, `ms` the time that the store took. */
export interface WrittenDrain {
  messages: number;
  stored: number;
  duplicate: number;
  conflict: number;
  dead: number;
  ms: number;
}

/** What a writer has done since it was made; counts in readings, `dead` and `messages` in messages. */
export interface WriterStats extends WrittenDrain {
  drains: number;
  /** Why nothing can be written at present, since when (ms since the epoch). */
  failing?: { since: number; reason: string };
}

interface Suspect {
  message: LogMessage;
  reason: string;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** How often a drain of which nothing can be stored is tried, before its messages are buried. */
const FRUITLESS_TRIES = 5;

/**
 * Moves what the log holds into the store, for as long as it runs. While the store is away messages stay in the log; a message
 * that can never be stored is put aside with the reason, and holds up nothing else.
 */
export class ReadingWriter {
  readonly stats: WriterStats = { drains: 0, messages: 0, stored: 0, duplicate: 0, conflict: 0, dead: 0, ms: 0 };
  readonly #log: ReadingLog;
  readonly #store: ReadingStore;
  readonly #options: ReadingWriterOptions;
  #running: { stopping: AbortController; done: Promise<unknown> } | undefined;
  #failures = 0;
  #fruitless = 0;

  constructor(log: ReadingLog, store: ReadingStore, options: ReadingWriterOptions) {
    this.#log = log;
    this.#store = store;
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    const stopping = new AbortController();
    const lanes = Array.from({ length: this.#options.lanes ?? 1 }, () => this.#work(stopping.signal));
    this.#running = { stopping, done: Promise.all(lanes) };
  }

  /** Finishes the drain in hand. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.stopping.abort();
    await running?.done;
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const drain = await this.#drain(signal);
        if (drain) await this.#settle(drain);
      } catch (error) {
        this.#failed(error);
        await (this.#options.pause ?? pause)(pauseAfter(this.#failures), signal);
      }
    }
  }

  #drain(signal: AbortSignal): Promise<Drain | undefined> {
    const { drainBytes: maxBytes = 4_194_304, lingerMs = 50 } = this.#options;
    return this.#log.drain({ maxBytes, lingerMs, signal });
  }

  async #settle(drain: Drain): Promise<void> {
    const began = performance.now();
    try {
      const { result, suspects } = await this.#write(drain, drain.messages);
      this.#judge(drain, suspects);
      const dead = [...result.unreadable, ...suspects];
      for (const { message, reason } of dead) await this.#bury(message, reason);
      this.#succeeded(drain, result, dead.length, performance.now() - began);
    } catch (error) {
      await drain.release().catch(() => undefined);
      throw error;
    }
    await drain.ack().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'stored messages could not be acknowledged; they will come again');
    });
  }

  /** Writes messages; when one of them cannot be stored, by halves, so that the others are. */
  async #write(drain: Drain, messages: LogMessage[]): Promise<{ result: WriteResult; suspects: Suspect[] }> {
    try {
      return { result: await this.#store.write(drain.logId, messages, drain.floor), suspects: [] };
    } catch (error) {
      if (isOutage(error)) throw error;
      const [only] = messages;
      if (only && messages.length === 1)
        return { result: nothing(), suspects: [{ message: only, reason: reasonOf(error) }] };
    }
    const middle = Math.ceil(messages.length / 2);
    const first = await this.#write(drain, messages.slice(0, middle));
    const second = await this.#write(drain, messages.slice(middle));
    return { result: sumOf(first.result, second.result), suspects: [...first.suspects, ...second.suspects] };
  }

  /** Where nothing at all can be stored the fault may be the store's: that is tried a few times before messages are blamed. */
  #judge(drain: Drain, suspects: readonly Suspect[]): void {
    const [suspect] = suspects;
    if (!suspect || suspects.length < drain.messages.length) {
      this.#fruitless = 0;
      return;
    }
    this.#fruitless += 1;
    if (this.#fruitless < FRUITLESS_TRIES) throw new Error(suspect.reason);
    this.#fruitless = 0;
  }

  async #bury(message: LogMessage, reason: string): Promise<void> {
    await this.#log.bury(message, reason);
    this.#options.logger.error(
      { seq: message.seq, reason },
      'a message of the reading log was put aside: it cannot be stored',
    );
  }

  #succeeded(drain: Drain, { stored, duplicate, conflict }: WriteResult, dead: number, ms: number): void {
    const written: WrittenDrain = { messages: drain.messages.length, stored, duplicate, conflict, dead, ms };
    this.stats.drains += 1;
    for (const name of ['messages', 'stored', 'duplicate', 'conflict', 'dead', 'ms'] as const) {
      this.stats[name] += written[name];
    }
    if (this.stats.failing) this.#options.logger.info('readings are written to the store again');
    this.stats.failing = undefined;
    this.#failures = 0;
    this.#options.onWrite?.(written);
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    if (!this.stats.failing) {
      this.#options.logger.warn({ err: error }, 'readings cannot be written to the store; they stay in the log');
    }
    this.stats.failing = { since: this.stats.failing?.since ?? Date.now(), reason: reasonOf(error) };
  }
}

const isOutage = (error: unknown): boolean => error instanceof CodedError && error.code === 'UNAVAILABLE';

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const nothing = (): WriteResult => ({ stored: 0, duplicate: 0, conflict: 0, unreadable: [] });

function sumOf(a: WriteResult, b: WriteResult): WriteResult {
  return {
    stored: a.stored + b.stored,
    duplicate: a.duplicate + b.duplicate,
    conflict: a.conflict + b.conflict,
    unreadable: [...a.unreadable, ...b.unreadable],
  };
}

/** Doubles with every failure, up to a bound, less up to half of it by chance, so that writers do not come back together. */
function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
