import { Worker, type WorkerOptions } from 'node:worker_threads';

const DIE = 'die';
const LISTENER = `import { parentPort } from 'node:worker_threads';
parentPort.on('message', (message) => { if (message === '${DIE}') process.exit(1); });`;

/**
 * A worker thread that ends by itself between two messages once it is told to. `terminate` can cut it off inside a native module, and
 * libsql then takes the whole process with it.
 */
export function mortalWorker(entry: URL, options: WorkerOptions): Worker {
  const preload = `data:text/javascript,${encodeURIComponent(LISTENER)}`;
  return new Worker(entry, { ...options, execArgv: [...(options.execArgv ?? process.execArgv), '--import', preload] });
}

/** Tells a {@link mortalWorker} to end, behind what it was sent before; resolves once it has. */
export async function endWorker(worker: Worker | undefined): Promise<void> {
  if (!worker) throw new Error('there is no such worker');
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.postMessage(DIE);
  await ended;
}
