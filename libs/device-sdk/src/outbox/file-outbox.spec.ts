import { appendFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReadingInput } from '#contracts';
import { FileOutbox } from './file-outbox.ts';
import { frame } from './frames.ts';
import { OutboxLockedError } from './outbox.ts';

const reading = (n: number): ReadingInput => ({ sensor: 'temperature', value: n, ts: 1_700_000_000_000 + n });
const readings = (from: number, count: number): ReadingInput[] =>
  Array.from({ length: count }, (_, i) => reading(from + i));

describe('an outbox in files', () => {
  let folder: string;
  let opened: FileOutbox[];

  const open = async (segmentBytes = 400) => {
    const outbox = new FileOutbox({ folder, segmentBytes });
    await outbox.open();
    opened.push(outbox);
    return outbox;
  };
  const drain = async (outbox: FileOutbox) => {
    const seen: unknown[] = [];
    for (let after = 0; ;) {
      const entries = await outbox.peek(after, { readings: 1_000, bytes: 1_000_000 });
      if (entries.length === 0) return seen;
      seen.push(...entries.map((entry) => entry.reading.value));
      after = entries.at(-1)?.seq ?? after;
    }
  };
  const files = async (ending: string) => (await readdir(folder)).filter((name) => name.endsWith(ending)).sort();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-'));
    opened = [];
  });

  afterEach(async () => {
    await Promise.all(opened.map((outbox) => outbox.close()));
    await rm(folder, { recursive: true });
  });

  it('has what was not settled after a restart, and goes on with new positions', async () => {
    const before = await open();
    await before.put(readings(0, 20));
    const entries = await before.peek(0, { readings: 3, bytes: 1_000 });
    before.settle(entries.slice(1));
    await before.close();
    const after = await open();
    expect(after.count).toBe(18);
    await after.put(readings(20, 2));
    expect(await drain(after)).toEqual([0, ...readings(3, 19).map((one) => one.value)]);
    expect(after.lastSeq).toBeGreaterThan(before.lastSeq);
  });

  it('leaves no files behind when everything is settled', async () => {
    const outbox = await open();
    await outbox.put(readings(0, 50));
    for (let entries = await outbox.peek(0, { readings: 7, bytes: 1_000 }); entries.length > 0;) {
      outbox.settle(entries);
      entries = await outbox.peek(0, { readings: 7, bytes: 1_000 });
    }
    await outbox.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it('frees the disk as receipts come, though new readings keep coming', async () => {
    const outbox = await open();
    for (let round = 0; round < 50; round += 1) {
      await outbox.put(readings(round * 10, 10));
      outbox.settle(await outbox.peek(0, { readings: 10, bytes: 10_000 }));
    }
    await outbox.put([reading(1_000)]);
    expect((await files('.log')).length).toBeLessThan(5);
  });

  it('frees the disk though puts never pause', async () => {
    const outbox = await open();
    let left = 2_000;
    const putOn = async () => {
      for (; left > 0; left -= 1) {
        await outbox.put([reading(left)]);
        outbox.settle(await outbox.peek(0, { readings: 10, bytes: 10_000 }));
        if (left === 1_000) expect((await files('.log')).length).toBeLessThan(20);
      }
    };
    await Promise.all(Array.from({ length: 8 }, putOn));
    expect((await files('.log')).length).toBeLessThan(20);
  });

  it('leaves out a line that was torn by a crash', async () => {
    const before = await open(100_000);
    await before.put(readings(0, 3));
    await before.close();
    const [log = ''] = await files('.log');
    const whole = await readFile(join(folder, log), 'utf8');
    for (const cut of [1, 5, 40]) {
      await writeFile(join(folder, log), whole.slice(0, -cut));
      const after = await open();
      expect(await drain(after)).toEqual([0, 1]);
      await after.put([reading(9)]);
      expect(await drain(after)).toEqual([0, 1, 9]);
      after.settle((await after.peek(0, { readings: 9, bytes: 9_000 })).filter((entry) => entry.reading.value === 9));
      after.settle(await after.peek(after.lastSeq - 1, { readings: 9, bytes: 9_000 }));
      await after.close();
    }
  });

  it('reads on after a line that the storage spoiled', async () => {
    const before = await open(100_000);
    await before.put(readings(0, 4));
    await before.close();
    const [log = ''] = await files('.log');
    const lines = (await readFile(join(folder, log), 'utf8')).split('\n');
    lines[1] = '\0'.repeat(lines[1]?.length ?? 0);
    await writeFile(join(folder, log), lines.join('\n'));
    const after = await open();
    expect(await drain(after)).toEqual([0, 2, 3]);
    expect(after.count).toBe(3);
    after.settle(await after.peek(0, { readings: 9, bytes: 9_000 }));
    expect([after.count, after.oldestSeq]).toEqual([0, undefined]);
  });

  it('takes no spoiled mark for a receipt', async () => {
    const before = await open(100_000);
    await before.put(readings(0, 4));
    before.settle(await before.peek(0, { readings: 1, bytes: 100 }));
    await before.close();
    const [marks = ''] = await files('.settled');
    await appendFile(join(folder, marks), '00000000 1 4\nffffffff 1');
    expect(await drain(await open())).toEqual([1, 2, 3]);
  });

  it('takes no marks of a segment that is gone for its own', async () => {
    const first = await open();
    await first.put([reading(0)]);
    const [log = ''] = await files('.log');
    const [entry] = await first.peek(0, { readings: 1, bytes: 100 });
    if (entry) first.settle([entry]);
    await first.close();
    await writeFile(join(folder, log.replace('.log', '.settled')), frame('1 1'));
    const second = await open();
    await second.put([reading(1)]);
    await second.close();
    expect(await drain(await open())).toEqual([1]);
  });

  it('cannot be opened twice at a time', async () => {
    const first = await open();
    await expect(open()).rejects.toThrow(OutboxLockedError);
    await first.close();
    await open();
  });

  it('takes over from a process that is gone', async () => {
    await writeFile(join(folder, 'lock'), '999999999 123');
    const outbox = await open();
    await outbox.put([reading(1)]);
    expect(outbox.count).toBe(1);
  });

  it('takes over from a process whose id has gone to another', async () => {
    await writeFile(join(folder, 'lock'), `${process.ppid} 1`);
    await open();
  });

  it('refuses to put before it is open and after it is closed', async () => {
    const outbox = new FileOutbox({ folder });
    await expect(outbox.put([reading(1)])).rejects.toThrow(/is not open/);
    await outbox.open();
    await outbox.close();
    await expect(outbox.put([reading(1)])).rejects.toThrow(/is not open/);
  });

  it('keeps what was being put when it is closed', async () => {
    const before = await open();
    const puts = readings(0, 50).map((one) => before.put([one]));
    await before.close();
    await Promise.all(puts);
    expect((await open()).count).toBe(50);
  });
});
