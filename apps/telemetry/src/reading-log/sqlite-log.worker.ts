import { givenText, serveCalls } from '../worker-thread/serve-calls.ts';
import { SqliteLogFile } from './sqlite-log-file.ts';

/** Removing this much at a time holds up an append by a few milliseconds. */
const FORGET_STEP_BYTES = 4_194_304;

const log = new SqliteLogFile(givenText('file'));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const calls = {
  state: () => log.state(),
  append: (body: string, size: number) => log.append(body, size),
  read: (after: number, upTo: number, maxBytes: number) => log.read(after, upTo, maxBytes),
  /** Removes everything up to `upTo`, in steps between which appends are served. */
  forget: async (upTo: number) => {
    let floor = log.forget(upTo, FORGET_STEP_BYTES);
    while (floor < upTo) {
      await turn();
      const next = log.forget(upTo, FORGET_STEP_BYTES);
      if (next === floor) break;
      floor = next;
    }
    return floor;
  },
  bury: (body: string, reason: string, at: number) => {
    log.bury(body, reason, at);
  },
  deadLetters: (after: number, limit: number) => log.deadLetters(after, limit),
  replay: (id: number) => log.replay(id),
  close: () => {
    log.close();
  },
};

/** The functions of the thread that works the log file. */
export type SqliteLogCalls = typeof calls;

serveCalls(calls);
