import type { ReadingInput } from '#contracts';
import { type Answer, type DeviceReceipt, type Trouble, readAnswer } from '../answers.ts';
import { type BackoffOptions, atLeast, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { type Outbox, type OutboxEntry, sumBytes } from '../outbox/outbox.ts';
import { judge } from '../refusal.ts';
import type { LinkBounds } from './transport.ts';

/** When a batch is full enough to be sent. */
export interface BatchOptions {
  /** Readings in a batch; the platform takes 1,000. */
  maxReadings: number;
  /** Bytes of JSON in a batch; the platform takes 1 MiB. */
  maxBytes: number;
  /** How long a reading waits for company, in milliseconds. */
  lingerMs: number;
}

/** What a sender needs of the connection. */
export interface Link {
  /** What the living link can take. */
  readonly bounds: LinkBounds;
  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: (answer: unknown) => void): void;
  /** The link carried a receipt. */
  proven(): void;
  /** Nothing comes back over the link any more. */
  restart(): void;
  /** The platform wants another token. */
  reauthenticate(trouble: Trouble): Promise<void>;
}

/** What a sender tells. */
export interface SenderListener {
  receipt(receipt: DeviceReceipt): void;
  rejected(rejected: { reading: ReadingInput; code: string; message: string }): void;
  outboxError(error: unknown): void;
}

export interface SenderOptions {
  outbox: Outbox;
  batch: BatchOptions;
  /** Batches that may be without an answer at a time. */
  inFlight: number;
  ackTimeoutMs: number;
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
  /** Starts every batch id, to tell this run's batches from another's. */
  session: string;
}

/** Readings, counted in what was done with them. */
export interface SenderCounts {
  sent: number;
  resent: number;
  acknowledged: number;
  rejected: number;
}

const NO_RECEIPT: Trouble = {
  code: 'INTERNAL',
  message: 'The receipt says neither that all were accepted nor which were not.',
};

interface Batch {
  readonly id: string;
  readonly entries: readonly OutboxEntry[];
  transmissions: number;
  refusals: number;
  /** Receipts that others had got when this one was first refused. */
  receiptsBefore: number | undefined;
  cancelTimeout: () => void;
}

/**
 * Moves readings from the outbox to the platform: a window of batches, each sent again, the same, until it is answered. One
 * refusal for load pauses all of them.
 */
export class Sender {
  readonly counts: SenderCounts = { sent: 0, resent: 0, acknowledged: 0, rejected: 0 };
  private readonly inFlight = new Map<string, Batch>();
  private again: Batch[] = [];
  private flushes: { upTo: number; done: () => void }[] = [];
  private online = false;
  private filling = false;
  private fillAgain = false;
  private due = true;
  private fresh = { readings: 0, bytes: 0 };
  private takenUpTo = 0;
  private batches = 0;
  private setbacks = 0;
  private timeouts = 0;
  private receipts = 0;
  private pauseEnd = 0;
  private cancelPause: (() => void) | undefined;
  private cancelLinger: (() => void) | undefined;

  constructor(
    private readonly options: SenderOptions,
    private readonly link: Link,
    private readonly listener: SenderListener,
  ) {}

  linkUp(): void {
    this.online = true;
    this.due = true;
    this.fill();
  }

  linkDown(): void {
    this.online = false;
    this.timeouts = 0;
    for (const batch of [...this.inFlight.values()]) this.putBack(batch);
  }

  stop(): void {
    this.linkDown();
    this.cancelPause?.();
    this.cancelLinger?.();
  }

  /** Readings have come into the outbox. */
  notice(readings: number, bytes: number): void {
    this.fresh.readings += readings;
    this.fresh.bytes += bytes;
    this.answerFlushes();
    if (this.isDue) this.fill();
    else this.linger();
  }

  /** Calls `done` when no reading up to position `seq` waits any more; the returned function calls it off. */
  whenSettled(seq: number, done: () => void): () => void {
    const flush = { upTo: seq, done };
    this.flushes.push(flush);
    this.answerFlushes();
    this.fill();
    return () => {
      this.flushes = this.flushes.filter((other) => other !== flush);
    };
  }

  private get isDue(): boolean {
    const { maxReadings, maxBytes } = this.options.batch;
    return this.due || this.flushes.length > 0 || this.fresh.readings >= maxReadings || this.fresh.bytes >= maxBytes;
  }

  private linger(): void {
    this.cancelLinger ??= this.options.clock.after(this.options.batch.lingerMs, () => {
      this.cancelLinger = undefined;
      this.due = true;
      this.fill();
    });
  }

  private canSend(): boolean {
    const window = Math.min(this.options.inFlight, this.link.bounds.inFlight);
    return this.online && this.inFlight.size < window && !this.cancelPause;
  }

  private fill(): void {
    this.fillAgain = true;
    if (!this.filling) void this.fillWhileAsked();
  }

  private async fillWhileAsked(): Promise<void> {
    this.filling = true;
    try {
      while (this.wasAsked()) await this.fillWindow();
    } catch (error) {
      this.due = true;
      this.listener.outboxError(error);
      this.pause(this.setbackMs());
    } finally {
      this.filling = false;
    }
  }

  private wasAsked(): boolean {
    const asked = this.fillAgain;
    this.fillAgain = false;
    return asked;
  }

  private async fillWindow(): Promise<void> {
    while (this.canSend()) {
      const batch = this.again.shift() ?? (await this.nextBatch());
      if (!batch) return;
      if (!this.canSend()) this.putBack(batch);
      else if (this.isTooLarge(batch)) this.split(batch);
      else this.transmit(batch);
    }
  }

  /** A batch of an earlier link may be more than this one takes; a single reading is for the link to judge. */
  private isTooLarge({ entries }: Batch): boolean {
    return entries.length > 1 && sumBytes(entries) + entries.length + 1 > this.link.bounds.batchBytes;
  }

  /** Once a batch is due, everything goes, down to an empty outbox; only then do readings wait for company again. */
  private async nextBatch(): Promise<Batch | undefined> {
    if (!this.isDue) return undefined;
    this.due = false;
    this.fresh = { readings: 0, bytes: 0 };
    const { maxReadings } = this.options.batch;
    const maxBytes = Math.min(this.options.batch.maxBytes, this.link.bounds.batchBytes - 2);
    const entries = await this.options.outbox.peek(this.takenUpTo, { readings: maxReadings, bytes: maxBytes });
    const last = entries.at(-1);
    if (!last) return undefined;
    this.due = true;
    this.takenUpTo = last.seq;
    return this.createBatch(entries, 0);
  }

  private createBatch(entries: readonly OutboxEntry[], transmissions: number): Batch {
    this.batches += 1;
    const id = `${this.options.session}-${this.batches}`;
    return { id, entries, transmissions, refusals: 0, receiptsBefore: undefined, cancelTimeout: () => undefined };
  }

  private transmit(batch: Batch): void {
    if (batch.transmissions === 0) this.counts.sent += batch.entries.length;
    else this.counts.resent += batch.entries.length;
    batch.transmissions += 1;
    const transmission = batch.transmissions;
    this.inFlight.set(batch.id, batch);
    batch.cancelTimeout = this.options.clock.after(this.options.ackTimeoutMs, () => this.onTimeout(batch));
    const readings = batch.entries.map((entry) => entry.reading);
    this.link.sendReadings(readings, batch.id, (answer) => this.onAnswer(batch, transmission, readAnswer(answer)));
  }

  /** A receipt counts whenever it comes; a refusal only of the latest transmission. */
  private onAnswer(batch: Batch, transmission: number, answer: Answer): void {
    if (!this.isOpen(batch)) return;
    const isLatest = transmission === batch.transmissions && this.inFlight.has(batch.id);
    if (answer.ok && (answer.rejected.length > 0 || answer.accepted >= batch.entries.length))
      this.onReceipt(batch, answer);
    else if (isLatest) this.onRefusal(batch, answer.ok ? NO_RECEIPT : answer);
  }

  private isOpen(batch: Batch): boolean {
    return this.inFlight.has(batch.id) || this.again.includes(batch);
  }

  /** A receipt that does not name all it rejected, for want of room, has the others sent again in halves, until every one is named. */
  private onReceipt(batch: Batch, receipt: DeviceReceipt): void {
    this.receipts += 1;
    this.timeouts = 0;
    this.setbacks = 0;
    this.link.proven();
    this.take(batch);
    const rejections = new Map(receipt.rejected.map((rejection) => [rejection.index, rejection]));
    const others = batch.entries.filter((_, index) => !rejections.has(index));
    for (const [index, { code, message }] of rejections) this.reject(batch.entries[index], code, message);
    if (receipt.accepted < others.length) this.split({ ...batch, entries: others });
    else this.counts.acknowledged += this.options.outbox.settle(others);
    this.listener.receipt(receipt);
    this.answerFlushes();
    this.fill();
  }

  private reject(entry: OutboxEntry | undefined, code: string, message: string): void {
    if (!entry) return;
    this.counts.rejected += this.options.outbox.settle([entry]);
    this.listener.rejected({ reading: entry.reading, code, message });
  }

  private onRefusal(batch: Batch, trouble: Trouble): void {
    batch.refusals += 1;
    batch.receiptsBefore ??= this.receipts;
    this.timeouts = 0;
    const verdict = judge(trouble.code, {
      readings: batch.entries.length,
      refusals: batch.refusals,
      othersAccepted: this.receipts > batch.receiptsBefore,
    });
    this.putBack(batch);
    if (verdict === 'split') this.split(batch);
    else if (verdict === 'reject') this.giveUp(batch, trouble);
    else
      this.pause(
        trouble.retryAfterMs === undefined ? this.setbackMs() : atLeast(trouble.retryAfterMs, this.options.random),
      );
    if (verdict === 'authenticate') void this.link.reauthenticate(trouble);
    this.fill();
  }

  /** The halves are other batches than the whole was, so they get ids of their own. */
  private split(batch: Batch): void {
    this.take(batch);
    const middle = Math.ceil(batch.entries.length / 2);
    const halves = [batch.entries.slice(0, middle), batch.entries.slice(middle)].filter((half) => half.length > 0);
    this.again.unshift(...halves.map((entries) => this.createBatch(entries, batch.transmissions)));
  }

  private giveUp(batch: Batch, { code, message }: Trouble): void {
    this.take(batch);
    for (const entry of batch.entries) this.reject(entry, code, message);
    this.answerFlushes();
  }

  private onTimeout(batch: Batch): void {
    this.putBack(batch);
    this.timeouts += 1;
    if (this.timeouts >= this.link.bounds.deadAfter) {
      this.timeouts = 0;
      this.link.restart();
    }
    this.pause(this.setbackMs());
  }

  /** Out of the window and into the queue of those to be sent again, in the order of the readings. */
  private putBack(batch: Batch): void {
    this.take(batch);
    this.again.push(batch);
    this.again.sort((a, b) => (a.entries[0]?.seq ?? 0) - (b.entries[0]?.seq ?? 0));
  }

  private take(batch: Batch): void {
    batch.cancelTimeout();
    this.inFlight.delete(batch.id);
    this.again = this.again.filter((other) => other !== batch);
  }

  private setbackMs(): number {
    this.setbacks += 1;
    return fullJitter(this.setbacks - 1, this.options.backoff, this.options.random);
  }

  /** The end is kept to see which of two pauses is the longer; the timer alone ends one, whatever becomes of the clock. */
  private pause(ms: number): void {
    const end = this.options.clock.now() + ms;
    if (this.cancelPause && end <= this.pauseEnd) return;
    this.cancelPause?.();
    this.pauseEnd = end;
    this.cancelPause = this.options.clock.after(ms, () => {
      this.cancelPause = undefined;
      this.fill();
    });
  }

  private answerFlushes(): void {
    const oldest = this.options.outbox.oldestSeq ?? Infinity;
    const done = this.flushes.filter((flush) => flush.upTo < oldest);
    this.flushes = this.flushes.filter((flush) => flush.upTo >= oldest);
    done.forEach((flush) => flush.done());
  }
}
