import { appendFileSync } from 'node:fs';
import { FileOutbox } from '../src/outbox/file-outbox.ts';

/**
 * A process that puts readings into the outbox of argv[2], with values from argv[3] on, until it is killed. Appends to the file argv[4]
 * `kept <value>` after each put, and `settled <value>` before it settles the oldest, after every third.
 */
const outbox = new FileOutbox({ folder: process.argv[2] ?? '', segmentBytes: 20_000 });
await outbox.open();
let next = Number(process.argv[3]);

/** Not to a pipe: what waits in one that is full is lost with the process. */
const say = (line: string) => appendFileSync(process.argv[4] ?? '', `${line}\n`);

async function settleOldest(): Promise<void> {
  const oldest = await outbox.peek(0, { readings: 1, bytes: 0 });
  for (const entry of oldest) say(`settled ${Number(entry.reading.value)}`);
  outbox.settle(oldest);
}

async function putForever(): Promise<void> {
  for (;;) {
    const value = next;
    next += 1;
    await outbox.put([{ sensor: 'n', value, ts: value }]);
    say(`kept ${value}`);
    if (value % 3 === 0) await settleOldest();
  }
}

await Promise.all(Array.from({ length: 8 }, putForever));
