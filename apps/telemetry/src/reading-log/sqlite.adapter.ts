import type { Logger } from 'pino';
import { WorkerThread, type WorkerThreadOptions } from '../worker-thread/worker-thread.ts';
import { busy } from './busy.ts';
import type { Backlog, DeadLetter, Drain, LogMessage, ReadingLog } from './reading-log.ts';
import type { SqliteLogCalls } from './sqlite-log.worker.ts';

export interface SqliteReadingLogOptions {
  /** Path of the log file. */
  file: string;
  /** Bytes of unwritten messages above which appends are refused. */
  maxBytes: number;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  createWorker?: WorkerThreadOptions['createWorker'];
}

/** Bodies kept in main memory so that a drain needs no read. */
const RECENT_BYTES = 33_554_432;
const READ_BYTES = 1_048_576;
const FORGET_AFTER_MS = 200;

interface SizedMessage extends LogMessage {
  size: number;
}

/** What was handed out and neither acknowledged nor released yet. */
interface Held {
  messages: SizedMessage[];
}

/**
 * The log of the embedded mode: an append-only SQLite file of one process, worked by a thread of its own. An append is
 * answered after its commit is synced. What is written next comes from memory, and from the file when there is a backlog.
 */
export class SqliteReadingLog implements ReadingLog {
  readonly appendsInFlight = 2;
  readonly #options: SqliteReadingLogOptions;
  readonly #thread: WorkerThread<SqliteLogCalls>;

  #id = '';
  /** Everything up to here is removed from the file, for good. */
  #floor = 0;
  /** The newest message that is on disk. */
  #last = 0;
  /** The newest message that was handed out. */
  #cursor = 0;
  /** The end of the log, without gaps, as far as memory holds it. */
  #recent: SizedMessage[] = [];
  #recentBytes = 0;
  #returned: SizedMessage[] = [];
  readonly #held = new Set<Held>();
  /** Acknowledged messages behind one that is not. */
  readonly #ackedAhead = new Set<number>();

  #messages = 0;
  #bytes = 0;
  #appendingBytes = 0;
  #undrainedBytes = 0;
  #failing = false;
  /** Whether acknowledged messages could not be removed. */
  #keeping = false;
  #stopped = true;
  #taking: Promise<unknown> = Promise.resolve();
  #forgetTimer: NodeJS.Timeout | undefined;
  #forgetting: Promise<void> | undefined;
  readonly #appends = new Set<Promise<unknown>>();
  readonly #listeners = new Set<() => void>();

  constructor(options: SqliteReadingLogOptions) {
    this.#options = options;
    this.#thread = new WorkerThread<SqliteLogCalls>({
      entry: new URL('./sqlite-log.worker', import.meta.url),
      base: import.meta.url,
      data: { file: options.file },
      logger: options.logger,
      onRestart: () => void this.#resume(),
      ...(options.createWorker ? { createWorker: options.createWorker } : {}),
    });
  }

  get id(): string {
    return this.#id;
  }

  async start(): Promise<void> {
    await this.#thread.start();
    const state = await this.#thread.call('state');
    this.#id = state.id;
    this.#floor = state.floor;
    this.#cursor = state.floor;
    this.#last = state.last;
    this.#messages = state.messages;
    this.#bytes = state.bytes;
    this.#undrainedBytes = state.bytes;
    this.#stopped = false;
    if (state.messages > 0) {
      this.#options.logger.info({ messages: state.messages, bytes: state.bytes }, 'the reading log holds a backlog');
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#changed();
    await Promise.allSettled([...this.#appends, this.#taking]);
    clearTimeout(this.#forgetTimer);
    await this.#forgetting;
    await this.#forget();
    await this.#thread.call('close').catch(() => undefined);
    await this.#thread.stop();
  }

  append(body: string): Promise<void> {
    if (this.#stopped) return Promise.reject(busy('the reading log is not running'));
    const size = Buffer.byteLength(body);
    if (this.#bytes + this.#appendingBytes + size > this.#options.maxBytes) {
      return Promise.reject(busy('the reading log is full'));
    }
    this.#appendingBytes += size;
    const append = this.#append(body, size).finally(() => {
      this.#appendingBytes -= size;
      this.#appends.delete(append);
    });
    this.#appends.add(append);
    return append;
  }

  async drain(options: { maxBytes: number; lingerMs: number; signal: AbortSignal }): Promise<Drain | undefined> {
    const ended = () => options.signal.aborted || this.#stopped;
    await this.#until(() => ended() || this.#hasMore(), options.signal);
    await this.#until(() => ended() || this.#undrainedBytes >= options.maxBytes, options.signal, options.lingerMs);
    if (ended()) return undefined;
    return (await this.#take(options.maxBytes)) ?? this.drain(options);
  }

  backlog(): Promise<Backlog> {
    return Promise.resolve({ messages: this.#messages, bytes: this.#bytes });
  }

  async *pending(): AsyncIterable<LogMessage> {
    const last = this.#last;
    let after = this.#ackedUpTo();
    while (after < last) {
      const messages = await this.#thread.call('read', after, last, READ_BYTES);
      for (const message of messages) if (!this.#isAcked(message.seq)) yield message;
      after = messages.at(-1)?.seq ?? last;
    }
  }

  async settled(timeoutMs: number): Promise<boolean> {
    const last = this.#last;
    const isSettled = () => this.#ackedUpTo() >= last;
    await this.#until(() => isSettled() || this.#stopped, undefined, timeoutMs);
    return isSettled();
  }

  async bury(message: LogMessage, reason: string): Promise<void> {
    await this.#thread.call('bury', message.body, reason, Date.now());
  }

  deadLetters(after: number, limit: number): Promise<DeadLetter[]> {
    return this.#thread.call('deadLetters', after, limit);
  }

  async replay(id: number): Promise<boolean> {
    const message = await this.#thread.call('replay', id);
    if (message) this.#appended(message);
    return message !== undefined;
  }

  async #append(body: string, size: number): Promise<void> {
    try {
      this.#appended({ seq: await this.#thread.call('append', body, size), body, size });
    } catch (error) {
      if (!this.#failing) this.#options.logger.error({ err: error }, 'the reading log cannot be written');
      this.#failing = true;
      throw busy('the reading log cannot be written', error);
    }
    if (this.#failing) this.#options.logger.info('the reading log can be written again');
    this.#failing = false;
  }

  #appended(message: SizedMessage): void {
    if (message.seq <= this.#last) return;
    this.#last = message.seq;
    this.#messages += 1;
    this.#bytes += message.size;
    this.#undrainedBytes += message.size;
    this.#recent.push(message);
    this.#recentBytes += message.size;
    while (this.#recentBytes > RECENT_BYTES) this.#recentBytes -= this.#recent.shift()?.size ?? 0;
    this.#changed();
  }

  #hasMore(): boolean {
    return this.#returned.length > 0 || this.#cursor < this.#last;
  }

  /** One at a time, since a read of the file takes a while. */
  #take(maxBytes: number): Promise<Drain | undefined> {
    const take = this.#taking.then(async () => {
      if (this.#returned.length > 0) return this.#hold(headOf(this.#returned, maxBytes));
      if (this.#recent[0]?.seq === this.#cursor + 1) return this.#hold(headOf(this.#recent, maxBytes));
      if (this.#cursor >= this.#last) return undefined;
      const messages = await this.#thread.call('read', this.#cursor, this.#last, maxBytes);
      return this.#hold(messages.map((message) => ({ ...message, size: Buffer.byteLength(message.body) })));
    });
    this.#taking = take.catch(() => undefined);
    return take;
  }

  #hold(messages: SizedMessage[]): Drain | undefined {
    const last = messages.at(-1);
    if (!last) return undefined;
    this.#cursor = Math.max(this.#cursor, last.seq);
    this.#recent = this.#recent.filter(({ seq }) => seq > this.#cursor);
    this.#recentBytes = bytesOf(this.#recent);
    this.#undrainedBytes -= bytesOf(messages);
    const held: Held = { messages };
    this.#held.add(held);
    return {
      logId: this.#id,
      messages,
      floor: this.#floor,
      ack: () => Promise.resolve(this.#ack(held)),
      release: () => Promise.resolve(this.#release(held)),
    };
  }

  #ack(held: Held): void {
    if (!this.#held.delete(held)) return;
    for (const { seq, size } of held.messages) {
      this.#ackedAhead.add(seq);
      this.#messages -= 1;
      this.#bytes -= size;
    }
    const upTo = this.#ackedUpTo();
    for (const seq of this.#ackedAhead) if (seq <= upTo) this.#ackedAhead.delete(seq);
    this.#forgetLater();
    this.#changed();
  }

  #release(held: Held): void {
    if (!this.#held.delete(held)) return;
    this.#returned = [...this.#returned, ...held.messages].sort((a, b) => a.seq - b.seq);
    for (const { size } of held.messages) this.#undrainedBytes += size;
    this.#changed();
  }

  #isAcked(seq: number): boolean {
    return seq <= this.#ackedUpTo() || this.#ackedAhead.has(seq);
  }

  /** The last message before the first one that is not acknowledged. */
  #ackedUpTo(): number {
    let upTo = Math.min(this.#cursor, (this.#returned[0]?.seq ?? Infinity) - 1);
    for (const { messages } of this.#held) upTo = Math.min(upTo, (messages[0]?.seq ?? Infinity) - 1);
    return upTo;
  }

  #forgetLater(): void {
    if (this.#stopped) return;
    this.#forgetTimer ??= setTimeout(() => {
      this.#forgetting = this.#forget().finally(() => {
        this.#forgetTimer = undefined;
        this.#forgetting = undefined;
        if (this.#floor < this.#ackedUpTo()) this.#forgetLater();
      });
    }, FORGET_AFTER_MS);
  }

  async #forget(): Promise<void> {
    const upTo = this.#ackedUpTo();
    if (upTo <= this.#floor) return;
    try {
      this.#floor = await this.#thread.call('forget', upTo);
      this.#keeping = false;
    } catch (error) {
      if (!this.#keeping) {
        this.#options.logger.warn({ err: error }, 'written messages cannot be removed from the reading log just now');
      }
      this.#keeping = true;
    }
  }

  /** What the thread committed before it died, without having been able to say so, is in the log all the same. */
  async #resume(): Promise<void> {
    try {
      const { last, bytes, messages } = await this.#thread.call('state');
      if (last <= this.#last) return;
      this.#options.logger.info({ messages, bytes }, 'the reading log goes on');
      const added = await this.#thread.call('read', this.#last, last, Infinity);
      for (const message of added) this.#appended({ ...message, size: Buffer.byteLength(message.body) });
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the reading log could not be read after a restart of its thread');
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Resolves once `condition` holds, the signal is aborted or the time is over. */
  #until(condition: () => boolean, signal: AbortSignal | undefined, timeoutMs?: number): Promise<void> {
    if (condition() || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const check = () => {
        if (condition()) done();
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
      this.#listeners.add(check);
      signal?.addEventListener('abort', done);
    });
  }
}

/** Takes messages off the front: up to `maxBytes`, but at least one if there is any. */
function headOf(messages: SizedMessage[], maxBytes: number): SizedMessage[] {
  let bytes = 0;
  const end = messages.findIndex(({ size }, index) => {
    bytes += size;
    return index > 0 && bytes > maxBytes;
  });
  return messages.splice(0, end < 0 ? messages.length : end);
}

function bytesOf(messages: readonly SizedMessage[]): number {
  return messages.reduce((bytes, { size }) => bytes + size, 0);
}
