import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileOutbox } from './file-outbox.ts';
import { OutboxLockedError } from './outbox.ts';

const TEST = join(import.meta.dirname, '../../test');
const WRITER = ['--import', join(TEST, 'typescript.mjs'), join(TEST, 'outbox-writer.ts')];

describe('an outbox in files whose process is killed', () => {
  let folder: string;
  let reports: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-'));
    reports = await mkdtemp(join(tmpdir(), 'outbox-reports-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
    await rm(reports, { recursive: true });
  });

  /** Runs a writer until it has said `count` things and kills it without warning; returns what it said. */
  const writeAndKill = async (from: number, count: number, whileRunning = async () => {}): Promise<string[]> => {
    const report = join(reports, String(from));
    const writer = spawn(process.execPath, [...WRITER, folder, String(from), report], { stdio: 'inherit' });
    const closed = once(writer, 'close');
    const said = async () => (await readFile(report, 'utf8').catch(() => '')).split('\n').slice(0, -1);
    try {
      while ((await said()).length < count) {
        if (writer.exitCode !== null) throw new Error(`The writer ended by itself with ${writer.exitCode}.`);
        await sleep(2);
      }
      await whileRunning();
    } finally {
      writer.kill('SIGKILL');
      await closed;
    }
    return said();
  };

  const contents = async (): Promise<number[]> => {
    const outbox = new FileOutbox({ folder });
    await outbox.open();
    const values: number[] = [];
    for (let after = 0; ;) {
      const entries = await outbox.peek(after, { readings: 10_000, bytes: 10_000_000 });
      if (entries.length === 0) break;
      values.push(...entries.map((entry) => Number(entry.reading.value)));
      after = entries.at(-1)?.seq ?? after;
    }
    await outbox.close();
    return values;
  };

  it('has every reading that was promised and not settled, whenever the kill came', async () => {
    const said: string[] = [];
    for (let run = 0; run < 5; run += 1) said.push(...(await writeAndKill(run * 1_000_000 + 1, 400 + run * 137)));
    const valuesOf = (word: string) =>
      said.filter((line) => line.startsWith(word)).map((line) => Number(line.split(' ')[1]));
    const settled = new Set(valuesOf('settled'));
    const kept = await contents();
    const missing = valuesOf('kept').filter((value) => !settled.has(value) && !kept.includes(value));
    expect(missing).toEqual([]);
    expect(new Set(kept).size).toBe(kept.length);
    expect(valuesOf('kept').length).toBeGreaterThan(2_000);
  });

  it('is locked while the process lives, and free when it was killed', async () => {
    await writeAndKill(1, 10, async () => {
      await expect(new FileOutbox({ folder }).open()).rejects.toThrow(OutboxLockedError);
    });
    const outbox = new FileOutbox({ folder });
    await outbox.open();
    await outbox.close();
  });
});
