import type { Logger } from 'pino';
import { CodedError, type Reading } from '#contracts';
import type { LogMessage } from '../reading-log/reading-log.ts';
import { WORKER_GONE, WorkerError, WorkerThread, type WorkerThreadOptions } from '../worker-thread/worker-thread.ts';
import type { RangeQuery, ReadingStore, StoredLedger, WriteResult } from './reading-store.ts';
import type { SqliteStoreCalls } from './sqlite-store.worker.ts';

export interface SqliteReadingStoreOptions {
  /** Path of the store's file. */
  file: string;
  logger: Pick<Logger, 'warn'>;
  createWorker?: WorkerThreadOptions['createWorker'];
}

/** What SQLite says when the file cannot be used just now, whatever is written. */
const OUTAGE = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|CANTOPEN|READONLY|NOMEM|CORRUPT|NOTADB|PERM|PROTOCOL)/;
const RETRY_AFTER_MS = 1_000;

/** The store of the embedded mode: one SQLite file, written by one thread and read by another, so that neither waits. */
export class SqliteReadingStore implements ReadingStore {
  readonly #writer: WorkerThread<SqliteStoreCalls>;
  readonly #reader: WorkerThread<SqliteStoreCalls>;

  constructor({ file, logger, createWorker }: SqliteReadingStoreOptions) {
    const thread = (role: 'writer' | 'reader', youngGenerationMb: number) =>
      new WorkerThread<SqliteStoreCalls>({
        entry: new URL('./sqlite-store.worker', import.meta.url),
        base: import.meta.url,
        data: { file, role },
        youngGenerationMb,
        logger,
        ...(createWorker ? { createWorker } : {}),
      });
    this.#writer = thread('writer', 96);
    this.#reader = thread('reader', 8);
  }

  async start(): Promise<void> {
    await this.#writer.start();
    await this.#reader.start();
  }

  async stop(): Promise<void> {
    for (const thread of [this.#reader, this.#writer]) {
      await thread.call('close').catch(() => undefined);
      await thread.stop();
    }
  }

  write(logId: string, messages: readonly LogMessage[], floor: number): Promise<WriteResult> {
    return this.#writer.call('write', logId, messages, floor).catch(refuse);
  }

  latest(deviceId: string, sensors?: readonly string[]): Promise<Reading[]> {
    return this.#reader.call('latest', deviceId, sensors).catch(refuse);
  }

  range(query: RangeQuery): Promise<Reading[]> {
    return this.#reader.call('range', query).catch(refuse);
  }

  async ledger(deviceId: string): Promise<StoredLedger> {
    const { counts, logId, floor, applied } = await this.#reader.call('ledger', deviceId).catch(refuse);
    const known = new Set(applied);
    return { counts, includes: (ofLog, seq) => ofLog === logId && (seq <= floor || known.has(seq)) };
  }

  async ping(): Promise<void> {
    await Promise.all([this.#writer.call('ping'), this.#reader.call('ping')]).catch(refuse);
  }
}

function refuse(error: unknown): never {
  const code = error instanceof WorkerError ? error.code : undefined;
  if (code === WORKER_GONE || OUTAGE.test(code ?? '')) {
    throw new CodedError('UNAVAILABLE', 'The reading store cannot be used just now.', {
      retryAfterMs: RETRY_AFTER_MS,
      cause: error,
    });
  }
  throw error;
}
