import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '#contracts';
import { type BackoffOptions, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { type AttributeScopes, LinkLostError, RefusedError, type Talk } from '../link/talk.ts';
import type { AttributesChange, WantedAttributes } from '../link/transport.ts';
import { isForGood } from '../refusal.ts';

export type { AttributeScopes } from '../link/talk.ts';
export type { AttributesChange, WantedAttributes } from '../link/transport.ts';

/** What attributes tell. */
export interface AttributesListener {
  /** Shared attributes are other than they were. */
  changed(change: AttributesChange): void;
  /** The platform wrote shared attributes, be they what they were before. */
  written(change: AttributesChange): void;
}

export interface AttributesOptions {
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
}

/** A call that waits until its keys are durable, with these values or newer ones. */
interface Report {
  keys: Set<string>;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * The device's side of its attributes. What it reports waits in memory for a link, of each key the newest value; what the platform
 * shares is copied here, and asked for whenever a link is made.
 */
export class Attributes {
  private readonly pending = new Map<string, unknown>();
  private readonly reports = new Set<Report>();
  /** Keys that were refused together: each is tried by itself, to find the one that is to blame. */
  private readonly suspects = new Set<string>();
  private copy: Record<string, unknown> = {};
  private following = false;
  private reporting = false;
  private setbacks = 0;
  private fetching = false;
  private fetchAgain = false;
  private cancelRetry: (() => void) | undefined;

  constructor(
    private readonly talk: Talk,
    private readonly options: AttributesOptions,
    private readonly listener: AttributesListener,
  ) {}

  /** The shared attributes as they were last heard of. */
  get shared(): Readonly<Record<string, unknown>> {
    return this.copy;
  }

  /** Keeps the copy from now on. */
  follow(): void {
    this.following = true;
    this.fetch();
  }

  /** Resolves once the platform has the values durably; null deletes a key. Rejects with what the platform refuses. */
  report(attributes: Readonly<Record<string, unknown>>): Promise<void> {
    return new Promise((resolve, reject) => {
      const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
      if (entries.length === 0) {
        resolve();
        return;
      }
      for (const [key, value] of entries) this.pending.set(key, value);
      this.reports.add({ keys: new Set(entries.map(([key]) => key)), resolve, reject });
      void this.send();
    });
  }

  async get(wanted: WantedAttributes): Promise<AttributeScopes> {
    try {
      return await this.talk.getAttributes(wanted);
    } catch (error) {
      throw thrown(error);
    }
  }

  linkUp(): void {
    void this.send();
    this.fetch();
  }

  /** Nothing is reported any more. */
  stop(): void {
    this.cancelRetry?.();
    const error = new Error('The device was closed before the platform had its attributes.');
    for (const { reject } of this.reports) reject(error);
    this.reports.clear();
    this.pending.clear();
  }

  /** The platform tells of shared attributes. What comes while all of them are being asked for may be newer than the answer. */
  receive(change: AttributesChange): void {
    this.fetchAgain = this.fetching;
    this.apply(change);
    this.listener.written(change);
  }

  private async send(): Promise<void> {
    if (this.reporting) return;
    this.reporting = true;
    while (this.talk.isUp && this.pending.size > 0 && !this.cancelRetry) await this.sendSome();
    this.reporting = false;
  }

  private async sendSome(): Promise<void> {
    const sent = this.next();
    sent.forEach((_, key) => this.pending.delete(key));
    try {
      await this.talk.reportAttributes(Object.fromEntries(sent));
      this.setbacks = 0;
      this.settle(sent.keys());
    } catch (error) {
      this.onFailed(sent, error);
    }
  }

  private next(): Map<string, unknown> {
    const [suspect] = [...this.pending].filter(([key]) => this.suspects.has(key));
    return new Map(suspect ? [suspect] : this.pending);
  }

  private onFailed(sent: Map<string, unknown>, error: unknown): void {
    if (error instanceof RefusedError && isForGood(error.code)) {
      this.onRefused(sent, error);
      return;
    }
    this.putBack(sent);
    if (!(error instanceof LinkLostError) || this.talk.isUp) this.retryLater(error);
  }

  private onRefused(sent: Map<string, unknown>, error: RefusedError): void {
    if (sent.size > 1) {
      for (const key of sent.keys()) this.suspects.add(key);
      this.putBack(sent);
      return;
    }
    for (const key of sent.keys()) {
      this.suspects.delete(key);
      this.refuse(key, thrown(error));
    }
  }

  /** A newer value of a key wins over the one that comes back. */
  private putBack(sent: Map<string, unknown>): void {
    for (const [key, value] of sent) if (!this.pending.has(key)) this.pending.set(key, value);
  }

  private settle(keys: Iterable<string>): void {
    for (const key of keys) {
      this.suspects.delete(key);
      if (this.pending.has(key)) continue;
      for (const report of this.reports) report.keys.delete(key);
    }
    for (const report of this.reports) {
      if (report.keys.size > 0) continue;
      this.reports.delete(report);
      report.resolve();
    }
  }

  private refuse(key: string, error: Error): void {
    for (const report of this.reports) {
      if (!report.keys.has(key) || this.pending.has(key)) continue;
      this.reports.delete(report);
      report.reject(error);
    }
  }

  private retryLater(error: unknown): void {
    const { clock, backoff, random } = this.options;
    const asked = error instanceof RefusedError ? error.trouble.retryAfterMs : undefined;
    const wait = Math.max(fullJitter(this.setbacks, backoff, random), asked ?? 0);
    this.setbacks += 1;
    this.cancelRetry = clock.after(wait, () => {
      this.cancelRetry = undefined;
      void this.send();
    });
  }

  private fetch(): void {
    if (this.following && !this.fetching && this.talk.isUp) void this.fetchAll();
  }

  /** What cannot be had now is asked for again with the next link, or by the next change. */
  private async fetchAll(): Promise<void> {
    this.fetching = true;
    try {
      do {
        this.fetchAgain = false;
        const { shared } = await this.talk.getAttributes({ shared: true });
        if (!this.wasOvertaken()) this.replace(shared);
      } while (this.wasOvertaken());
    } catch {
      this.fetchAgain = false;
    } finally {
      this.fetching = false;
    }
  }

  private wasOvertaken(): boolean {
    return this.fetchAgain;
  }

  private replace(shared: Readonly<Record<string, unknown>>): void {
    const deleted = Object.keys(this.copy).filter((key) => !Object.hasOwn(shared, key));
    this.apply({ changed: shared, deleted });
  }

  private apply({ version, changed, deleted }: AttributesChange): void {
    const other = Object.entries(changed).filter(([key, value]) => !isDeepStrictEqual(this.copy[key], value));
    const gone = deleted.filter((key) => Object.hasOwn(this.copy, key));
    if (other.length === 0 && gone.length === 0) return;
    const kept = Object.entries(this.copy).filter(([key]) => !gone.includes(key));
    this.copy = Object.fromEntries([...kept, ...other]);
    this.listener.changed({
      ...(version === undefined ? {} : { version }),
      changed: Object.fromEntries(other),
      deleted: gone,
    });
  }
}

/** What a caller is thrown: the platform's own code where this version of the SDK knows it. */
function thrown(error: unknown): Error {
  if (error instanceof RefusedError) return CodedError.from({ ...error.trouble }) ?? error;
  return error instanceof Error ? error : new Error(String(error));
}
