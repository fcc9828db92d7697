import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { waitUntil } from '#testing';
import type { DeadLetter, Drain, LogMessage, ReadingLog } from '../reading-log/reading-log.ts';
import type { ReadingStore, WriteResult } from '../reading-store/reading-store.ts';
import { ReadingWriter, type ReadingWriterOptions, type WrittenDrain } from './writer.ts';

const unused = () => Promise.reject(new Error('not used by the writer'));

/** A log in memory; `faults` are thrown by the next calls of that name. */
class MemoryLog implements ReadingLog {
  readonly id = 'memory';
  readonly appendsInFlight = 1;
  waiting: LogMessage[] = [];
  acked: number[] = [];
  released = 0;
  buried: { seq: number; reason: string }[] = [];
  faults: { drain: Error[]; bury: Error[]; ack: Error[] } = { drain: [], bury: [], ack: [] };
  #last = 0;
  #wake = (): void => undefined;

  append(body: string): Promise<void> {
    this.waiting.push({ seq: ++this.#last, body });
    this.#wake();
    return Promise.resolve();
  }

  async drain({ signal }: { signal: AbortSignal }): Promise<Drain | undefined> {
    const fault = this.faults.drain.shift();
    if (fault) throw fault;
    while (this.waiting.length === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
    }
    if (signal.aborted) return undefined;
    const messages = this.waiting.splice(0);
    return {
      logId: this.id,
      messages,
      floor: 0,
      ack: async () => {
        const ackFault = this.faults.ack.shift();
        if (ackFault) throw ackFault;
        this.acked.push(...messages.map(({ seq }) => seq));
      },
      release: async () => {
        this.released += 1;
        this.waiting.unshift(...messages);
      },
    };
  }

  async bury({ seq }: LogMessage, reason: string): Promise<void> {
    const fault = this.faults.bury.shift();
    if (fault) throw fault;
    this.buried.push({ seq, reason });
  }

  start = () => Promise.resolve();
  stop = () => Promise.resolve();
  backlog = unused;
  settled = unused;
  replay = unused;
  deadLetters = (): Promise<DeadLetter[]> => unused();
  pending = (): AsyncIterable<LogMessage> => {
    throw new Error('not used by the writer');
  };
}

/** A store in memory: a body is one reading; `bad...` can never be stored, `mute...` cannot be read. */
class MemoryStore implements ReadingStore {
  readonly stored = new Map<number, string>();
  writes: number[] = [];
  away = false;
  hold: Promise<void> | undefined;

  async write(_logId: string, messages: readonly LogMessage[]): Promise<WriteResult> {
    this.writes.push(messages.length);
    await this.hold;
    if (this.away) throw new CodedError('UNAVAILABLE', 'the store is away');
    const bad = messages.find(({ body }) => body.startsWith('bad'));
    if (bad) throw new Error(`cannot store ${bad.body}`);
    const unreadable = messages
      .filter(({ body }) => body.startsWith('mute'))
      .map((message) => ({ message, reason: 'says nothing' }));
    const fresh = messages.filter(({ seq, body }) => !body.startsWith('mute') && !this.stored.has(seq));
    for (const { seq, body } of fresh) this.stored.set(seq, body);
    return { stored: fresh.length, duplicate: 0, conflict: 0, unreadable };
  }

  start = () => Promise.resolve();
  stop = () => Promise.resolve();
  latest = unused;
  range = unused;
  ledger = unused;
  ping = () => Promise.resolve();
}

describe('the reading writer', () => {
  let log: MemoryLog;
  let store: MemoryStore;
  let writer: ReadingWriter;
  let lines: string[];
  let pauses: number[];
  let written: WrittenDrain[];

  const line = (fields: unknown, text?: string) => lines.push(text ?? String(fields));
  const make = (options: Partial<ReadingWriterOptions> = {}) =>
    new ReadingWriter(log, store, {
      logger: { info: line, warn: line, error: line },
      onWrite: (drain) => written.push(drain),
      pause: (ms) => {
        pauses.push(ms);
        return new Promise((resolve) => setImmediate(resolve));
      },
      ...options,
    });

  const append = async (...bodies: string[]) => {
    for (const body of bodies) await log.append(body);
  };
  const acked = (count: number) =>
    waitUntil(() => log.acked.length === count, { what: `${String(count)} are acknowledged` });

  beforeEach(() => {
    log = new MemoryLog();
    store = new MemoryStore();
    [lines, pauses, written] = [[], [], []];
    writer = make();
  });

  afterEach(async () => {
    await writer.stop();
  });

  test('stores what is appended, acknowledges it, and counts it', async () => {
    writer.start();
    await append('a', 'b');
    await acked(2);
    await append('c');
    await acked(3);
    expect([...store.stored.values()]).toEqual(['a', 'b', 'c']);
    expect(writer.stats).toMatchObject({ messages: 3, stored: 3, duplicate: 0, conflict: 0, dead: 0 });
    expect(written.reduce((sum, { stored }) => sum + stored, 0)).toBe(3);
    expect(writer.stats.failing).toBeUndefined();
  });

  test('keeps messages in the log while the store is away, says so once, and goes on by itself', async () => {
    store.away = true;
    writer.start();
    await append('a', 'b');
    await waitUntil(() => log.released >= 5, { what: 'it was tried five times' });
    expect(log.acked).toEqual([]);
    expect(writer.stats.failing).toMatchObject({ reason: 'the store is away' });
    store.away = false;
    await acked(2);
    expect(writer.stats.failing).toBeUndefined();
    expect(log.buried).toEqual([]);
    expect(lines).toEqual([
      'readings cannot be written to the store; they stay in the log',
      'readings are written to the store again',
    ]);
  });

  test('waits longer after every failure, up to a bound', async () => {
    store.away = true;
    writer.start();
    await append('a');
    await waitUntil(() => pauses.length >= 12, { what: 'it has failed twelve times' });
    expect(pauses[0]).toBeLessThanOrEqual(250);
    expect(pauses[4]).toBeGreaterThanOrEqual(2_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_000);
  });

  test('buries what cannot be read, and stores the rest', async () => {
    writer.start();
    await append('a', 'mute', 'b');
    await acked(3);
    expect(log.buried).toEqual([{ seq: 2, reason: 'says nothing' }]);
    expect([...store.stored.values()]).toEqual(['a', 'b']);
    expect(writer.stats).toMatchObject({ stored: 2, dead: 1 });
  });

  test('isolates messages that make the store fail, and buries them alone', async () => {
    await append(...Array.from({ length: 100 }, (_, index) => (index % 40 === 7 ? `bad ${String(index)}` : 'good')));
    writer.start();
    await acked(100);
    expect(log.buried).toEqual(
      [7, 47, 87].map((index) => ({ seq: index + 1, reason: `cannot store bad ${String(index)}` })),
    );
    expect(store.stored.size).toBe(97);
    expect(log.released).toBe(0);
    expect(writer.stats).toMatchObject({ stored: 97, dead: 3 });
  });

  test('blames messages of which none can be stored only after several tries', async () => {
    await append('bad one', 'bad two');
    writer.start();
    await acked(2);
    expect(log.released).toBe(4);
    expect(log.buried.map(({ seq }) => seq)).toEqual([1, 2]);
    await append('good');
    await acked(3);
    expect([...store.stored.values()]).toEqual(['good']);
  });

  test('acknowledges nothing that it could not bury', async () => {
    log.faults.bury.push(new Error('the log is away'));
    await append('mute', 'a');
    writer.start();
    await acked(2);
    expect(log.released).toBe(1);
    expect(log.buried).toHaveLength(1);
    expect(writer.stats).toMatchObject({ stored: 0, dead: 1 });
  });

  test('goes on when the log fails', async () => {
    log.faults.drain.push(new Error('no log'), new Error('no log'));
    log.faults.ack.push(new Error('no answer'));
    writer.start();
    await append('a');
    await waitUntil(() => store.stored.size === 1, { what: 'it is stored' });
    await append('b');
    await acked(1);
    expect(lines).toContain('stored messages could not be acknowledged; they will come again');
  });

  test('finishes the drain in hand when it is stopped, begins no other, and can be started again', async () => {
    let finish = (): void => undefined;
    store.hold = new Promise((resolve) => (finish = resolve));
    writer.start();
    await append('a');
    await waitUntil(() => store.writes.length === 1, { what: 'the write has begun' });
    const stopped = writer.stop();
    await append('b');
    finish();
    await stopped;
    expect(log.acked).toEqual([1]);
    expect(log.waiting).toHaveLength(1);
    writer.start();
    writer.start();
    await acked(2);
  });

  test('stops at once while it waits for an absent store, and gives its messages back', async () => {
    store.away = true;
    writer = new ReadingWriter(log, store, { logger: { info: line, warn: line, error: line } });
    writer.start();
    await append('a');
    await waitUntil(() => log.released > 0, { what: 'it has failed' });
    await writer.stop();
    expect(log.waiting.map(({ body }) => body)).toEqual(['a']);
  });

  test('stops when it was never started', async () => {
    await writer.stop();
  });
});
