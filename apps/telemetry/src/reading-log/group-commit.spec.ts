import { describe, expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { GroupCommit } from './group-commit.ts';
import type { WrittenEntry } from './log-body.ts';

interface Append {
  body: string;
  succeed(): void;
  fail(error: Error): void;
}

/** A log that settles its appends by hand. */
function slowLog(appendsInFlight: number) {
  const appends: Append[] = [];
  const append = (body: string) =>
    new Promise<void>((succeed, fail) => {
      appends.push({ body, succeed, fail });
    });
  return { appendsInFlight, append, appends };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const entry = (deviceId: string, readings = '', rejected = 0): WrittenEntry => ({
  deviceId,
  receivedAt: 1,
  rejected,
  readings,
});
const body = (...names: string[]) => `{"v":1,"e":[${names.map((name) => `["${name}",1,0,[]]`).join(',')}]}`;

describe('a group commit', () => {
  test('shares one append between everything that arrives in one turn', async () => {
    const log = slowLog(2);
    const commit = new GroupCommit(log);
    const receipts = ['a', 'b', 'c'].map((name) => commit.append(entry(name)));
    expect(log.appends).toHaveLength(0);
    await turn();
    expect(log.appends.map((append) => append.body)).toEqual([body('a', 'b', 'c')]);
    log.appends[0]?.succeed();
    await Promise.all(receipts);
  });

  test('writes what comes of one device at one time as one entry, with its rejections added up', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log);
    const receipts = [
      entry('a', '["x",1,1]', 1),
      entry('a', '', 2),
      entry('a', '["x",2,2],["x",3,3]'),
      { ...entry('a', '["x",4,4]'), receivedAt: 2 },
      entry('b'),
      entry('a', '["x",5,5]'),
    ].map((each) => commit.append(each));
    await turn();
    expect(JSON.parse(log.appends[0]?.body ?? '')).toEqual({
      v: 1,
      e: [
        [
          'a',
          1,
          3,
          [
            ['x', 1, 1],
            ['x', 2, 2],
            ['x', 3, 3],
          ],
        ],
        ['a', 2, 0, [['x', 4, 4]]],
        ['b', 1, 0, []],
        ['a', 1, 0, [['x', 5, 5]]],
      ],
    });
    log.appends[0]?.succeed();
    await Promise.all(receipts);
  });

  test('gives no receipt before the append is done', async () => {
    const log = slowLog(1);
    let done = false;
    const receipt = new GroupCommit(log).append(entry('a')).then(() => (done = true));
    await turn();
    await turn();
    expect(done).toBe(false);
    log.appends[0]?.succeed();
    await receipt;
  });

  test('keeps to the number of appends that the log takes, and gathers company meanwhile', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log);
    const first = commit.append(entry('a'));
    await turn();
    const second = commit.append(entry('b'));
    await turn();
    const third = commit.append(entry('c'));
    await turn();
    expect(log.appends).toHaveLength(1);
    log.appends[0]?.succeed();
    await first;
    await turn();
    expect(log.appends[1]?.body).toBe(body('b', 'c'));
    log.appends[1]?.succeed();
    await Promise.all([second, third]);
  });

  test('closes a group at its size, in the order of arrival', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log, { groupChars: 130 });
    const receipts = ['a', 'b', 'c', 'd', 'e'].map((name) => commit.append(entry(name)));
    for (let sent = 1; sent <= 3; sent += 1) {
      await turn();
      expect(log.appends).toHaveLength(sent);
      log.appends[sent - 1]?.succeed();
      await turn();
    }
    await Promise.all(receipts);
    expect(log.appends.map((append) => append.body)).toEqual([body('a', 'b'), body('c', 'd'), body('e')]);
  });

  test('takes an entry that is longer than a group', async () => {
    const log = slowLog(1);
    const receipt = new GroupCommit(log, { groupChars: 3 }).append(entry('a'));
    await turn();
    log.appends[0]?.succeed();
    await receipt;
  });

  test('refuses with BUSY what would exceed its bound, and takes it again when there is room', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log, { waitingChars: 130 });
    const kept = [commit.append(entry('a')), commit.append(entry('b'))];
    await expect(commit.append(entry('c'))).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
    await turn();
    log.appends[0]?.succeed();
    await Promise.all(kept);
    await turn();
    const later = commit.append(entry('c'));
    await turn();
    log.appends[1]?.succeed();
    await later;
  });

  test('refuses every entry of a group that failed, and goes on', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log);
    const lost = ['a', 'b'].map((name) => commit.append(entry(name)));
    await turn();
    log.appends[0]?.fail(new Error('the disk is on fire'));
    for (const receipt of lost) await expect(receipt).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 1_000 });
    const next = commit.append(entry('c'));
    await turn();
    log.appends[1]?.succeed();
    await next;
  });

  test('passes on what the log says of a group', async () => {
    const log = slowLog(1);
    const receipt = new GroupCommit(log).append(entry('a'));
    await turn();
    log.appends[0]?.fail(new CodedError('BODY_TOO_LARGE', 'too large'));
    await expect(receipt).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
  });

  test('is idle once nothing waits', async () => {
    const log = slowLog(1);
    const commit = new GroupCommit(log);
    await commit.idle();
    void commit.append(entry('a'));
    const idle = commit.idle();
    await turn();
    log.appends[0]?.succeed();
    await idle;
  });
});
