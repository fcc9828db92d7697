import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadingInput } from '#contracts';
import { isErrno } from './folder-lock.ts';
import { frame, unframe } from './frames.ts';
import type { OutboxEntry, SizedReading } from './outbox.ts';

const NAME = /^(\d{16})\.log$/;

/** The first position of the segment that a file name stands for; undefined for other files. */
export function firstSeqOf(fileName: string): number | undefined {
  const digits = NAME.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Marks whose segment is not there. */
export const orphansAmong = (names: readonly string[]): string[] =>
  names.filter((name) => name.endsWith('.settled') && !names.includes(name.replace('.settled', '.log')));

/**
 * A stretch of the outbox: `<first>.log` with one reading a line (`<position> <json>`), and `<first>.settled` with the positions
 * that need not be sent any more, as ranges (`<from> <to>`). Both are only ever appended to, and go together once every reading is settled.
 */
export class Segment {
  readonly logPath: string;
  private readonly settledPath: string;
  private readonly settled = new Set<number>();
  private readonly unwritten: number[] = [];
  private pending = 0;
  lastSeq: number;

  constructor(
    folder: string,
    readonly firstSeq: number,
  ) {
    const name = String(firstSeq).padStart(16, '0');
    this.logPath = join(folder, `${name}.log`);
    this.settledPath = join(folder, `${name}.settled`);
    this.lastSeq = firstSeq - 1;
  }

  get isSettled(): boolean {
    return this.pending === 0;
  }

  get count(): number {
    return this.pending;
  }

  get oldestSeq(): number | undefined {
    if (this.isSettled) return undefined;
    for (let seq = this.firstSeq; seq <= this.lastSeq; seq += 1) if (!this.settled.has(seq)) return seq;
    return undefined;
  }

  /** Reads both files; `endSeq` is where the next segment begins. Returns the readings that wait. */
  async load(endSeq: number): Promise<OutboxEntry[]> {
    for (const line of unframe(await readIfThere(this.settledPath))) this.markRange(line);
    const all = (await this.readLog()).filter((entry) => entry.seq < endSeq);
    const waiting = all.filter((entry) => !this.settled.has(entry.seq));
    this.lastSeq = all.at(-1)?.seq ?? this.lastSeq;
    this.pending = waiting.length;
    this.markGaps(all);
    return waiting;
  }

  /** The readings in the file that wait, oldest first. */
  async read(): Promise<OutboxEntry[]> {
    return (await this.readLog()).filter((entry) => this.isWaiting(entry.seq));
  }

  isWaiting(seq: number): boolean {
    return seq >= this.firstSeq && seq <= this.lastSeq && !this.settled.has(seq);
  }

  /** Takes note of entries that are in the file now. */
  extend(entries: readonly OutboxEntry[]): void {
    this.lastSeq = entries.at(-1)?.seq ?? this.lastSeq;
    this.pending += entries.length;
  }

  /** Marks a position; false if it does not wait. {@link writeSettled} keeps the mark. */
  settle(seq: number): boolean {
    if (!this.isWaiting(seq)) return false;
    this.settled.add(seq);
    this.unwritten.push(seq);
    this.pending -= 1;
    return true;
  }

  /** Writes the marks made since the last time. Not synced: a mark that is lost means a reading sent twice, no more. */
  async writeSettled(): Promise<void> {
    const seqs = this.unwritten.splice(0).sort((a, b) => a - b);
    if (seqs.length === 0) return;
    await appendFile(this.settledPath, `\n${rangesOf(seqs).map(frame).join('')}`);
  }

  /** The marks go first: left alone they could be taken for those of a later segment of the same name, and cost readings. */
  async remove(): Promise<void> {
    await rm(this.settledPath, { force: true });
    await rm(this.logPath, { force: true });
  }

  private async readLog(): Promise<OutboxEntry[]> {
    const entries = unframe(await readIfThere(this.logPath)).map(decodeEntry);
    return entries.filter((entry): entry is OutboxEntry => entry !== undefined);
  }

  private markRange(line: string): void {
    const [from = NaN, to = NaN] = line.split(' ').map(Number);
    for (let seq = from; seq <= to; seq += 1) this.settled.add(seq);
  }

  /** A line that the storage spoiled is not waited for. */
  private markGaps(entries: readonly OutboxEntry[]): void {
    const there = new Set(entries.map((entry) => entry.seq));
    for (let seq = this.firstSeq; seq <= this.lastSeq; seq += 1) if (!there.has(seq)) this.settled.add(seq);
  }
}

/** The line of a reading at a position. */
export const encodeEntry = (seq: number, { json }: SizedReading): string => frame(`${seq} ${json}`);

function decodeEntry(text: string): OutboxEntry | undefined {
  const space = text.indexOf(' ');
  const json = text.slice(space + 1);
  const reading: unknown = JSON.parse(json);
  return isReading(reading)
    ? { seq: Number(text.slice(0, space)), reading, bytes: Buffer.byteLength(json) }
    : undefined;
}

/** The checksum says that the line is as it was written; this says that it was a reading. */
const isReading = (value: unknown): value is ReadingInput =>
  typeof value === 'object' && value !== null && 'value' in value;

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

function rangesOf(sorted: readonly number[]): string[] {
  const ranges: { from: number; to: number }[] = [];
  for (const seq of sorted) {
    const last = ranges.at(-1);
    if (last && seq === last.to + 1) last.to = seq;
    else ranges.push({ from: seq, to: seq });
  }
  return ranges.map(({ from, to }) => `${from} ${to}`);
}
