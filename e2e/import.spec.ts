import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { JobView } from '#contracts';
import { projectFolder, tempDir, waitUntil } from '#testing';
import { NEUTRAL, programOf, startEmbedded, type EmbeddedHouse } from './house.ts';
import { administrator, logIn, newCustomer, newName, newPerson, type Person } from './people.ts';
import { read, type Visitor } from './visitor.ts';

jest.setTimeout(180_000);

const WithId = z.object({ id: z.string() });
const { E2E_URL } = process.env;

const jobOf = async (visitor: Visitor, id: string): Promise<JobView> =>
  read(await visitor.get(`/api/provisioning/jobs/${id}`), JobView);

const csvOf = (count: number): string => {
  const serial = newName('serial');
  const rows = Array.from({ length: count }, (_, index) => `Sensor ${index},${serial}-${index},a;b`);
  return ['name,serial,labels', ...rows, ''].join('\n');
};

(E2E_URL ? describe.skip : describe)('an import whose process is killed', () => {
  test('goes on after each restart, makes every device once, and counts right', async () => {
    const house = await startEmbedded();
    const customer = await newCustomer(house);
    const total = 16_000;
    const { visitor } = await newPerson(house, 'operator', customer);
    const headers = { 'content-type': 'text/csv' };
    const { id } = read(
      await visitor.post('/api/provisioning/jobs', undefined, { raw: csvOf(total), headers }),
      WithId,
    );
    for (const part of [1_000, 7_000]) {
      await waitUntil(async () => (await jobOf(visitor, id)).processed >= part, {
        what: `${part} rows are done`,
        timeoutMs: 60_000,
      });
      expect((await jobOf(visitor, id)).state).toBe('running');
      await house.own.services['standalone']?.kill();
      await house.own.services['standalone']?.restart();
    }
    const job = await waitUntil(
      async () => {
        const now = await jobOf(visitor, id);
        return now.finishedAt !== null && now;
      },
      { what: 'the import is over', timeoutMs: 90_000 },
    );
    expect(job).toMatchObject({ state: 'done', total, processed: total, created: total, unchanged: 0, failed: 0 });
    expect((await visitor.get(`/api/customers/${customer}`)).body).toMatchObject({ deviceCount: total });
    await house.stop();
  });
});

(E2E_URL ? describe.skip : describe)('npm run fieldline', () => {
  let house: EmbeddedHouse;
  let operator: Person;
  let folder: string;
  beforeAll(async () => {
    house = await startEmbedded();
    operator = await newPerson(house, 'operator', await newCustomer(house));
    folder = (await tempDir()).path;
  });
  afterAll(() => house.stop());

  interface Ended {
    code: number | null;
    stdout: string;
    stderr: string;
  }
  interface Running {
    child: ChildProcessByStdio<Writable, Readable, Readable>;
    output: () => string;
    ended: Promise<Ended>;
  }

  function begin(args: string[], env: Record<string, string | undefined> = {}): Running {
    const child = spawn(process.execPath, [join(projectFolder, programOf('fieldline')), ...args], {
      cwd: folder,
      env: {
        ...process.env,
        NODE_OPTIONS: undefined,
        ...NEUTRAL,
        FIELDLINE_URL: house.url,
        FIELDLINE_EMAIL: operator.email,
        FIELDLINE_PASSWORD: operator.password,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 90_000,
      killSignal: 'SIGKILL',
    });
    child.stdin.on('error', () => undefined);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
    });
    return { child, output: () => stdout, ended };
  }

  async function run(args: string[], env?: Record<string, string | undefined>, input?: string): Promise<Ended> {
    const { child, ended } = begin(args, env);
    child.stdin.end(input);
    return ended;
  }

  async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  const idIn = (output: string): string => /^Import (\S+)$/m.exec(output)?.[1] ?? '';

  test('imports a file, and once more without changing anything', async () => {
    const file = await fileOf('good.csv', csvOf(1_200));
    const first = await run(['devices', 'import', file]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toContain('Done: 1,200 of 1,200 rows · created 1,200 · unchanged 0 · failed 0.');
    expect(first.stdout).not.toContain('\u001b');
    const again = await run(['devices', 'import', file]);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('created 0 · unchanged 1,200 · failed 0.');
  });

  test('shows the first rows that failed, and saves all of them', async () => {
    const rows = Array.from({ length: 30 }, (_, index) => `n${index},MAC-${index}`);
    const file = await fileOf('bad.csv', ['name,macAddress', newName('good') + ',', ...rows].join('\r\n'));
    const { code, stdout } = await run(['devices', 'import', file, '--errors', 'errors.csv']);
    expect(code).toBe(1);
    expect(stdout).toContain('created 1 · unchanged 0 · failed 30.');
    expect(stdout.match(/^ {2}line \d+: macAddress: .*\(INVALID_INPUT\)$/gm)).toHaveLength(20);
    const saved = (await readFile(join(folder, 'errors.csv'), 'utf8')).trimEnd().split('\r\n');
    expect(saved).toHaveLength(31);
    expect(saved[0]).toBe('line,field,code,message');
    const unsaved = await run(['devices', 'import', '--job', idIn(stdout)]);
    expect(unsaved.code).toBe(1);
    expect(unsaved.stdout).toContain(`and 10 more: npm run fieldline -- devices import --job ${idIn(stdout)}`);
  });

  test('takes JSON lines from standard input, and need not stay', async () => {
    const name = newName('lamp');
    const input = `${JSON.stringify({ name, kind: 'gateway', attributes: { floor: 2 } })}\n`;
    const sent = await run(['devices', 'import', '-', '--format', 'ndjson', '--no-watch'], {}, input);
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    const looked = await run(['devices', 'import', '--job', idIn(sent.stdout)]);
    expect(looked).toMatchObject({ code: 0 });
    expect(looked.stdout).toContain('created 1');
    const listed = await run(['devices', 'list', '--q', name]);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toMatch(new RegExp(`^\\S+\t${name}\tgateway\tcreated\t-\t-\n$`));
  });

  test('leaves the import running when it is interrupted, and says how to look at it', async () => {
    const file = await fileOf('long.csv', csvOf(20_000));
    const { child, output, ended } = begin(['devices', 'import', file]);
    await waitUntil(() => output().includes('Import '), { what: 'the file is sent', timeoutMs: 60_000 });
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    const id = idIn(stdout);
    expect(code).toBe(130);
    expect(stdout).toContain(`npm run fieldline -- devices import --job ${id}`);
    const { visitor } = await logIn(house, operator.email, operator.password);
    expect((await jobOf(visitor, id)).state).toBe('running');
    await visitor.delete(`/api/provisioning/jobs/${id}`);
    const looked = await run(['devices', 'import', '--job', id]);
    expect(looked.code).toBe(1);
    expect(looked.stdout).toContain(`Failed: Stopped by user ${operator.id}`);
  });

  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    ['a wrong password', ['devices', 'list'], { FIELDLINE_PASSWORD: 'wrong' }, 1, /email|password/i],
    ['a token that is none', ['devices', 'list', '--token', 'x'], {}, 1, /UNAUTHENTICATED/],
    [
      'nobody there',
      ['devices', 'list', '--url', 'http://127.0.0.1:1'],
      {},
      1,
      /No connection to http:\/\/127.0.0.1:1/,
    ],
    ['a file that is not there', ['devices', 'import', 'nowhere.csv'], {}, 2, /nowhere\.csv cannot be read: .*ENOENT/],
    ['a folder', ['devices', 'import', '.'], {}, 2, /it is a folder/],
    ['another command', ['devices', 'explode'], {}, 2, /no command "devices explode"/],
    [
      'an import that is not theirs',
      ['devices', 'import', '--job', '0198c5a0-0000-7000-8000-000000000001'],
      {},
      1,
      /NOT_FOUND/,
    ],
  ])('says %s in one line', async (_what, args, env, code, words) => {
    const ended = await run(args, env);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['a wrong header', 'name,colour\na,red\n', /Line 1: there is no column "colour"/],
    ['another encoding', new Uint8Array([...Buffer.from('name\na\n'), 0xe4, 0x0a]), /Line 3: .*UTF-8/],
    ['nothing', '', /no devices/],
    ['40 MB without a line end', `name\n${'x'.repeat(40_000_000)}`, /Line 2: .*longer than/],
  ])('says of a file of %s what is wrong with it', async (what, content, words) => {
    const { code, stderr } = await run(['devices', 'import', await fileOf(`${what.length}.csv`, content)]);
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  test('nobody but the administrator and the operator learns of these imports', async () => {
    const admin = await administrator(house);
    expect((await admin.get('/api/provisioning/jobs')).text).toContain('"state":"done"');
    const other = await newPerson(house, 'operator', await newCustomer(house));
    expect((await other.visitor.get('/api/provisioning/jobs')).body).toEqual({ items: [], nextCursor: null });
  });
});
