import type { Logger } from 'pino';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** What a worker thread answers to: name -> function. Arguments and results must survive a structured clone. */
export type WorkerCalls = Record<string, (...args: never[]) => unknown>;

/** An error thrown in the thread; `code` is kept when the error had one (for SQLite `SQLITE_FULL` and the like). */
export class WorkerError extends Error {
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.name = 'WorkerError';
    this.code = code;
  }
}

/** `code` of the error that a call gets when the thread is not running, or dies before it answers. */
export const WORKER_GONE = 'WORKER_GONE';

/** What goes to the thread. */
export interface WorkerRequest {
  id: number;
  name: string;
  args: unknown[];
}

/** What comes back; id 0 says that the thread is ready. `result` is what the called function returned. */
export interface WorkerReply {
  id: number;
  result: never;
  error?: { message: string; code?: string };
}

export interface WorkerThreadOptions {
  /** The module to run, without its extension, e.g. `new URL('./sqlite-log.worker', import.meta.url)`. */
  entry: URL;
  /** `import.meta.url` of the caller: a worker of a TypeScript source is one too, and is compiled as it is loaded. */
  base: string;
  data: unknown;
  logger: Pick<Logger, 'warn'>;
  /** Bound of V8's young generation: for threads that parse much, since what survives a scavenge is copied. */
  youngGenerationMb?: number;
  /** Called when a thread that died runs again. */
  onRestart?: () => void;
  createWorker?: (entry: URL, options: WorkerOptions) => Worker;
}

const RESTART_AFTER_MS = 200;

interface Pending {
  settle: (reply: WorkerReply) => void;
  fail: (error: WorkerError) => void;
}

/** A worker thread that is called like an object, and that is started again when it dies. */
export class WorkerThread<Calls extends WorkerCalls> {
  readonly #options: WorkerThreadOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #running = false;
  #stopped = false;
  #lastId = 0;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: WorkerThreadOptions) {
    this.#options = options;
  }

  /** Resolves once the thread has loaded its module; rejects with what that threw. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.#spawn();
  }

  /** Ends the thread; calls that were not answered fail. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    await this.#worker?.terminate();
  }

  /** Calls a function of the thread. Rejects with a {@link WorkerError}. */
  call<Name extends keyof Calls & string>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const worker = this.#worker;
    if (!worker || !this.#running)
      return Promise.reject(new WorkerError('the worker thread is not running', WORKER_GONE));
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, {
        settle: (reply) => {
          if (reply.error) reject(new WorkerError(reply.error.message, reply.error.code));
          else resolve(reply.result);
        },
        fail: reject,
      });
      worker.postMessage({ id, name, args } satisfies WorkerRequest);
    });
  }

  #spawn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { entry, workerOptions } = launchOf(this.#options);
      const create = this.#options.createWorker ?? ((url, options) => new Worker(url, options));
      const worker = create(entry, workerOptions);
      this.#worker = worker;
      let cause: unknown;
      worker.on('error', (error) => (cause = error));
      worker.on('message', (reply: WorkerReply) => {
        if (reply.id === 0) {
          this.#running = true;
          resolve();
        } else this.#settle(reply);
      });
      worker.on('exit', () => {
        const wasRunning = this.#running;
        this.#running = false;
        this.#worker = undefined;
        this.#failPending();
        reject(errorOf(cause) ?? new WorkerError('the worker thread ended as it started', WORKER_GONE));
        if (wasRunning && !this.#stopped) this.#restartLater(cause);
      });
    });
  }

  #settle(reply: WorkerReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    pending?.settle(reply);
  }

  #failPending(): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { fail } of pending) fail(new WorkerError('the worker thread ended before it answered', WORKER_GONE));
  }

  #restartLater(cause: unknown): void {
    this.#options.logger.warn(
      { err: cause, entry: this.#options.entry.pathname },
      'a worker thread died; starting it again',
    );
    this.#restart = setTimeout(() => {
      if (this.#stopped) return;
      this.#spawn().then(
        () => this.#options.onRestart?.(),
        (error: unknown) => {
          if (!this.#stopped) this.#restartLater(error);
        },
      );
    }, RESTART_AFTER_MS);
  }
}

/** An error that ended the thread; those of another realm are no instances of our Error. */
function errorOf(cause: unknown): WorkerError | undefined {
  if (typeof cause !== 'object' || cause === null || !('message' in cause)) return undefined;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return new WorkerError(String(cause.message), code);
}

function launchOf({ entry, base, data, youngGenerationMb }: WorkerThreadOptions): {
  entry: URL;
  workerOptions: WorkerOptions;
} {
  const extension = base.endsWith('.ts') ? '.ts' : '.js';
  const execArgv = extension === '.ts' ? ['--import', new URL('typescript-loader.mjs', import.meta.url).href] : [];
  return {
    entry: new URL(entry.href + extension),
    workerOptions: {
      workerData: data,
      execArgv,
      name: entry.pathname.split('/').at(-1) ?? 'worker',
      ...(youngGenerationMb === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb } }),
    },
  };
}
