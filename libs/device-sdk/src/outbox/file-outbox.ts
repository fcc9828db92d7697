import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve as absolute } from 'node:path';
import type { ReadingInput } from '#contracts';
import { lockFolder } from './folder-lock.ts';
import {
  type Outbox,
  type OutboxBounds,
  type OutboxEntry,
  OutboxFullError,
  type PeekLimit,
  type PutResult,
  type SizedReading,
  measure,
  sumBytes,
  takeWithin,
  withinBounds,
} from './outbox.ts';
import { Segment, encodeEntry, firstSeqOf, orphansAmong } from './segment.ts';

/** Bounds of a file outbox; the disk holds at most about two segments more than `maxBytes`, plus some 30 bytes a reading. */
export interface FileOutboxOptions extends Partial<OutboxBounds> {
  /** The folder, made if it is not there; one process at a time may use it. */
  folder: string;
  /** Size in bytes at which a new file is begun. */
  segmentBytes?: number;
}

const DEFAULTS: OutboxBounds = { maxReadings: 5_000_000, maxBytes: 256 * 1_048_576, whenFull: 'reject' };

interface PendingPut {
  sized: SizedReading[];
  bytes: number;
  dropped: number;
  resolve: (result: PutResult) => void;
  reject: (error: unknown) => void;
}

/**
 * Keeps readings in a folder: they outlive a crash of the process and a loss of power. `put` resolves after fdatasync, which
 * all puts that arrive while the one before is being written share. A crash can tear the last line written; it was not
 * promised to anyone and is left out. Every run begins a file of its own, and a file whose readings are all settled is deleted.
 */
export class FileOutbox implements Outbox {
  private readonly folder: string;
  private readonly bounds: OutboxBounds;
  private readonly segmentBytes: number;
  private segments: Segment[] = [];
  private readonly puts: PendingPut[] = [];
  private active: { segment: Segment; file: FileHandle; size: number; entries: OutboxEntry[] } | undefined;
  private loaded: { segment: Segment; entries: OutboxEntry[] } | undefined;
  private working: Promise<void> | undefined;
  private untidy = false;
  private unlock: (() => Promise<void>) | undefined;
  private newestSeq = 0;
  private waiting = 0;
  private waitingBytes = 0;

  constructor(options: FileOutboxOptions) {
    const { folder, segmentBytes = 1_048_576, ...bounds } = options;
    this.folder = absolute(folder);
    this.bounds = { ...DEFAULTS, ...bounds };
    this.segmentBytes = segmentBytes;
  }

  get count(): number {
    return this.waiting;
  }

  get bytes(): number {
    return this.waitingBytes;
  }

  get oldestSeq(): number | undefined {
    for (const segment of this.segments) if (!segment.isSettled) return segment.oldestSeq;
    return undefined;
  }

  get lastSeq(): number {
    return this.newestSeq;
  }

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    this.unlock = await lockFolder(this.folder);
    try {
      await this.loadSegments();
    } catch (error) {
      await this.unlock();
      this.unlock = undefined;
      throw error;
    }
  }

  put(readings: readonly ReadingInput[]): Promise<PutResult> {
    if (!this.unlock) return Promise.reject(new Error(`The outbox ${this.folder} is not open.`));
    const sized = readings.map(measure);
    return new Promise((resolve, reject) => {
      this.puts.push({ sized, bytes: sumBytes(sized), dropped: 0, resolve, reject });
      this.work();
    });
  }

  async peek(afterSeq: number, limit: PeekLimit): Promise<OutboxEntry[]> {
    for (const segment of [...this.segments]) {
      if (segment.lastSeq <= afterSeq || segment.isSettled) continue;
      const entries = await this.entriesOf(segment);
      const after = entries.filter((entry) => entry.seq > afterSeq && segment.isWaiting(entry.seq));
      if (after.length > 0) return takeWithin(after, limit);
    }
    return [];
  }

  settle(entries: readonly OutboxEntry[]): number {
    const settled = entries.filter((entry) => this.segmentOf(entry.seq)?.settle(entry.seq));
    this.waiting -= settled.length;
    this.waitingBytes -= sumBytes(settled);
    this.untidy ||= settled.length > 0;
    if (this.untidy) this.work();
    return settled.length;
  }

  async close(): Promise<void> {
    const { unlock } = this;
    if (!unlock) return;
    this.unlock = undefined;
    while (this.working) await this.working;
    await this.endActive();
    await this.tidy();
    await unlock();
  }

  private async loadSegments(): Promise<void> {
    const names = await readdir(this.folder);
    for (const orphan of orphansAmong(names)) await rm(join(this.folder, orphan));
    const starts = names.flatMap((name) => firstSeqOf(name) ?? []).sort((a, b) => a - b);
    for (const [index, start] of starts.entries()) {
      const segment = new Segment(this.folder, start);
      const waiting = await segment.load(starts[index + 1] ?? Infinity);
      this.segments.push(segment);
      this.newestSeq = Math.max(this.newestSeq, segment.lastSeq, start);
      this.waiting += waiting.length;
      this.waitingBytes += sumBytes(waiting);
    }
    await this.tidy();
  }

  /** One worker at a time writes what has come together since it last looked. */
  private work(): void {
    this.working ??= this.workUntilIdle().finally(() => {
      this.working = undefined;
      if (this.hasWork) this.work();
    });
  }

  private get hasWork(): boolean {
    return this.untidy || this.puts.length > 0;
  }

  private async workUntilIdle(): Promise<void> {
    while (this.hasWork) {
      if (this.puts.length > 0) await this.commitGroup();
      if (this.untidy) await this.tidyUp();
    }
  }

  /** What cannot be tidied away is sent again by the next run, which is harmless; a full disk is told by put. */
  private async tidyUp(): Promise<void> {
    this.untidy = false;
    await this.tidy().catch(() => undefined);
  }

  private async commitGroup(): Promise<void> {
    const group: PendingPut[] = [];
    try {
      await this.collectGroup(group);
      if (group.length > 0) await this.append(group);
    } catch (error) {
      await this.abandonActive(group);
      group.forEach((put) => put.reject(error));
    }
  }

  /** Takes puts that fit beside each other; one that only fits once older readings gave way waits for the next group. */
  private async collectGroup(group: PendingPut[]): Promise<void> {
    let readings = this.waiting;
    let bytes = this.waitingBytes;
    for (let put = this.puts[0]; put; put = this.puts[0]) {
      if (!withinBounds(readings + put.sized.length, bytes + put.bytes, this.bounds)) {
        if (group.length > 0) return;
        if (!(await this.makeRoom(put))) {
          this.puts.shift();
          put.reject(new OutboxFullError(this.bounds));
          continue;
        }
        readings = this.waiting;
        bytes = this.waitingBytes;
      }
      this.puts.shift();
      group.push(put);
      readings += put.sized.length;
      bytes += put.bytes;
    }
  }

  private async makeRoom(put: PendingPut): Promise<boolean> {
    if (this.bounds.whenFull === 'reject') return false;
    if (!withinBounds(put.sized.length, put.bytes, this.bounds)) return false;
    while (!withinBounds(this.waiting + put.sized.length, this.waitingBytes + put.bytes, this.bounds)) {
      const oldest = await this.peek(0, { readings: 1, bytes: 0 });
      if (oldest.length === 0) return false;
      put.dropped += this.settle(oldest);
    }
    return true;
  }

  private async append(group: readonly PendingPut[]): Promise<void> {
    const active = await this.openActive();
    const sized = group.flatMap((put) => put.sized);
    const entries = sized.map(({ reading, bytes }, index) => ({ seq: this.newestSeq + 1 + index, reading, bytes }));
    const text = Buffer.from(sized.map((reading, index) => encodeEntry(this.newestSeq + 1 + index, reading)).join(''));
    await active.file.appendFile(text);
    await active.file.datasync();
    active.size += text.length;
    active.entries.push(...entries);
    active.segment.extend(entries);
    this.waiting += entries.length;
    this.waitingBytes += sumBytes(entries);
    for (const put of group) {
      this.newestSeq += put.sized.length;
      put.resolve({ bytes: put.bytes, dropped: put.dropped });
    }
  }

  private async openActive(): Promise<NonNullable<typeof this.active>> {
    if (this.active && this.active.size < this.segmentBytes) return this.active;
    await this.endActive();
    const segment = new Segment(this.folder, this.newestSeq + 1);
    const file = await open(segment.logPath, 'ax');
    await this.syncFolder();
    this.segments.push(segment);
    this.active = { segment, file, size: 0, entries: [] };
    return this.active;
  }

  /**
   * After a failed write the file gets no more lines, and the positions that may be half written in it are not used again.
   * Whatever hinders this is the failure that is being reported anyway.
   */
  private async abandonActive(group: readonly PendingPut[]): Promise<void> {
    for (const put of group) this.newestSeq += put.sized.length;
    await this.active?.file.truncate(this.active.size).catch(() => undefined);
    await this.endActive().catch(() => undefined);
  }

  private async endActive(): Promise<void> {
    const { active } = this;
    this.active = undefined;
    await active?.file.close();
  }

  /** A file's name survives a loss of power only once its folder is synced. */
  private async syncFolder(): Promise<void> {
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  private async tidy(): Promise<void> {
    const done = this.segments.filter((segment) => segment.isSettled && segment !== this.active?.segment);
    this.segments = this.segments.filter((segment) => !done.includes(segment));
    await Promise.all(done.map((segment) => segment.remove()));
    await Promise.all(this.segments.map((segment) => segment.writeSettled()));
  }

  private segmentOf(seq: number): Segment | undefined {
    return this.segments.find((segment) => seq >= segment.firstSeq && seq <= segment.lastSeq);
  }

  private async entriesOf(segment: Segment): Promise<readonly OutboxEntry[]> {
    if (this.active?.segment === segment) return this.active.entries;
    if (this.loaded?.segment !== segment) this.loaded = { segment, entries: await segment.read() };
    return this.loaded.entries;
  }
}
