import { CodedError } from '#contracts';
import { busy } from './busy.ts';
import { bodyOf, textOf, type WrittenEntry } from './log-body.ts';
import type { ReadingLog } from './reading-log.ts';

export interface GroupCommitOptions {
  /** Characters of one group; a longer entry is a group of its own. Default 256 Ki. */
  groupChars?: number;
  /**
   * Characters that may wait for or be in an append; above it entries are refused with `BUSY`. Default 8 Mi: parsed as it is, what
   * waits takes about ten times that in memory.
   */
  waitingChars?: number;
}

/** Characters of an entry besides its readings, about. */
const ENTRY_CHARS = 60;

interface Group {
  /** Entries that nothing is added to any more. */
  entryTexts: string[];
  /** What follows of the same device and time is added to this one: a device's messages mostly come together. */
  newest: WrittenEntry | undefined;
  chars: number;
  done: Promise<void>;
  resolve(): void;
  reject(error: CodedError): void;
}

/**
 * Shares one append of the log between everything that arrives within one turn of the event loop, from whatever door or
 * device: one log message and one acknowledgement for many receipts, so that small messages cost what large ones cost.
 */
export class GroupCommit {
  readonly #log: Pick<ReadingLog, 'append' | 'appendsInFlight'>;
  readonly #groupChars: number;
  readonly #maxWaitingChars: number;
  readonly #closed: Group[] = [];
  #open: Group | undefined;
  #inFlight = 0;
  #waitingChars = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(log: Pick<ReadingLog, 'append' | 'appendsInFlight'>, options: GroupCommitOptions = {}) {
    this.#log = log;
    this.#groupChars = options.groupChars ?? 262_144;
    this.#maxWaitingChars = options.waitingChars ?? 8_388_608;
  }

  /**
   * Resolves once the entry is on stable storage. All entries of a group get the same promise. Rejects with `BUSY` and
   * `retryAfterMs`, or with what the log says of a group that it can never take.
   */
  append(entry: WrittenEntry): Promise<void> {
    const chars = entry.readings.length + ENTRY_CHARS;
    if (this.#waitingChars + chars > this.#maxWaitingChars && this.#waitingChars > 0) {
      return Promise.reject(busy('too many readings wait to be written to the log'));
    }
    this.#waitingChars += chars;
    const group = this.#groupFor(chars);
    addTo(group, entry);
    group.chars += chars;
    this.#schedule();
    return group.done;
  }

  /** Resolves once nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    if (this.#waitingChars === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #groupFor(chars: number): Group {
    if (this.#open && this.#open.chars + chars > this.#groupChars) {
      this.#closed.push(this.#open);
      this.#open = undefined;
    }
    return (this.#open ??= newGroup());
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= this.#log.appendsInFlight) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#inFlight < this.#log.appendsInFlight) {
      const group = this.#closed.shift() ?? this.#open;
      if (!group) return;
      if (group === this.#open) this.#open = undefined;
      this.#inFlight += 1;
      void this.#commit(group);
    }
  }

  async #commit(group: Group): Promise<void> {
    try {
      await this.#log.append(bodyOf(textsOf(group)));
      group.resolve();
    } catch (error) {
      group.reject(error instanceof CodedError ? error : busy('the reading log failed', error));
    }
    this.#inFlight -= 1;
    this.#waitingChars -= group.chars;
    if (this.#closed.length > 0 || this.#open) this.#schedule();
    else if (this.#waitingChars === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function addTo(group: Group, { deviceId, receivedAt, rejected, readings }: WrittenEntry): void {
  const { newest } = group;
  if (newest?.deviceId !== deviceId || newest.receivedAt !== receivedAt) {
    if (newest) group.entryTexts.push(textOf(newest));
    group.newest = { deviceId, receivedAt, rejected, readings };
    return;
  }
  newest.rejected += rejected;
  if (readings !== '') newest.readings = newest.readings === '' ? readings : `${newest.readings},${readings}`;
}

const textsOf = ({ entryTexts, newest }: Group): string[] => (newest ? [...entryTexts, textOf(newest)] : entryTexts);

function newGroup(): Group {
  let resolve = (): void => undefined;
  let reject = (_error: CodedError): void => undefined;
  const done = new Promise<void>((onDone, onFailed) => {
    resolve = onDone;
    reject = onFailed;
  });
  return { entryTexts: [], newest: undefined, chars: 0, done, resolve, reject };
}
