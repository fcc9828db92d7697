import type { ReadingInput } from '#contracts';
import { MemoryOutbox, type Outbox, type OutboxEntry, type PeekLimit, type PutResult } from '#device-sdk';

/** A device's memory that tells which readings were settled, that is, accepted or rejected by their index. */
export class CountedOutbox implements Outbox {
  private readonly memory = new MemoryOutbox();

  constructor(private readonly onSettled: (readings: readonly ReadingInput[]) => void) {}

  get count(): number {
    return this.memory.count;
  }

  get bytes(): number {
    return this.memory.bytes;
  }

  get oldestSeq(): number | undefined {
    return this.memory.oldestSeq;
  }

  get lastSeq(): number {
    return this.memory.lastSeq;
  }

  open(): Promise<void> {
    return this.memory.open();
  }

  put(readings: readonly ReadingInput[]): Promise<PutResult> {
    return this.memory.put(readings);
  }

  peek(afterSeq: number, limit: PeekLimit): Promise<OutboxEntry[]> {
    return this.memory.peek(afterSeq, limit);
  }

  settle(entries: readonly OutboxEntry[]): number {
    this.onSettled(entries.map(({ reading }) => reading));
    return this.memory.settle(entries);
  }

  close(): Promise<void> {
    return this.memory.close();
  }
}
