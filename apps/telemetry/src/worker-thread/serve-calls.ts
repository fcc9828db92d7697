import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerRequest } from './worker-thread.ts';

/** A text that the thread was given as `data` under this name. */
export function givenText(name: string): string {
  const given: unknown = workerData;
  const fields: Record<string, unknown> = typeof given === 'object' && given !== null ? { ...given } : {};
  const text = fields[name];
  if (typeof text !== 'string') throw new Error(`this worker thread was not given its ${name}`);
  return text;
}

/** Answers, inside a worker thread, the calls of the WorkerThread that started it, in the order in which they come. */
export function serveCalls(calls: Record<string, (...args: never[]) => unknown>): void {
  const port = parentPort;
  if (!port) throw new Error('this module runs in a worker thread only');
  port.on('message', (request: Omit<WorkerRequest, 'args'> & { args: never[] }) => {
    void answer(calls, request).then((reply) => {
      port.postMessage(reply);
    });
  });
  port.postMessage({ id: 0 });
}

async function answer(
  calls: Record<string, (...args: never[]) => unknown>,
  { id, name, args }: Omit<WorkerRequest, 'args'> & { args: never[] },
): Promise<{ id: number; result?: unknown; error?: { message: string; code?: string } }> {
  try {
    const call = calls[name];
    if (!call) throw new Error(`this worker thread has no function ${name}`);
    return { id, result: await call(...args) };
  } catch (error) {
    return { id, error: describe(error) };
  }
}

function describe(error: unknown): { message: string; code?: string } {
  if (!(error instanceof Error)) return { message: String(error) };
  return 'code' in error && typeof error.code === 'string'
    ? { message: error.message, code: error.code }
    : { message: error.message };
}
