import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { freePort, projectFolder, spawnService, tempDir, waitUntil, type ChildProcess } from '#testing';
import { NEUTRAL, programOf, startEmbedded, type EmbeddedHouse, type House } from './house.ts';
import { administrator, logIn, newDevice, newUser } from './people.ts';
import { readings, Receipt, settledLedger, storedReadings, type Sent } from './readings.ts';
import { ask, connect, disconnectAll } from './sockets.ts';
import { Visitor } from './visitor.ts';

const { E2E_URL } = process.env;

jest.setTimeout(60_000);

/** How long a command may take, in ms. */
const PATIENCE_MS = 30_000;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command until it ends. */
function run(command: string, args: string[], env: Record<string, string | undefined> = {}): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: projectFolder,
    env: { ...process.env, NODE_OPTIONS: undefined, ...NEUTRAL, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve, reject) => {
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.stderr += text));
    child.on('error', reject).on('close', (code) => resolve({ ...ended, code }));
  });
}

const fieldline = (args: string[], env?: Record<string, string | undefined>): Promise<Ended> =>
  run(process.execPath, [join(projectFolder, programOf('standalone')), '--no-demo', ...args], env);

/** The embedded mode as somebody starts it who configures nothing. */
const startPlain = (port: number, dataDir: string, args: string[] = ['--no-demo']): Promise<ChildProcess> =>
  spawnService({
    name: 'standalone',
    script: programOf('standalone'),
    args: ['--port', String(port), '--data', dataDir, ...args],
    env: { ...NEUTRAL, LOG_LEVEL: undefined, DEBUG_PROVISIONING: undefined, HOST: undefined },
    readyLine: /Send a first reading:[^]*\n\n/,
  });

const houseAt = (url: string): House => ({
  url,
  replicas: [url],
  mqttUrl: 'mqtt://127.0.0.1:1',
  admin: { email: '', password: '' },
  secrets: new Set(),
  stop: () => Promise.resolve(),
});

const isOneLine = (text: string): void => {
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text).not.toContain('    at ');
};

(E2E_URL ? describe.skip : describe)('starting the embedded mode', () => {
  afterAll(disconnectAll);

  test('on a port that is taken is one line that says so, and exit code 1', async () => {
    const port = await freePort();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, '0.0.0.0', resolve));
    const { path } = await tempDir();
    const { code, stdout, stderr } = await fieldline(['--port', String(port), '--data', path], { LOG_LEVEL: 'warn' });
    taken.close();
    expect(code).toBe(1);
    isOneLine(stderr);
    expect(stderr).toContain(`port ${port} is taken`);
    expect(stdout).toBe('');
  });

  test('in a folder that cannot be written is one line that says so, and exit code 1', async () => {
    const { path } = await tempDir();
    await writeFile(join(path, 'file'), 'not a folder');
    for (const folder of [join(path, 'file'), join(path, 'file', 'below')]) {
      const { code, stderr } = await fieldline(['--port', '0', '--data', folder]);
      expect([folder, code]).toEqual([folder, 1]);
      isOneLine(stderr);
      expect(stderr).toContain(folder);
    }
  });

  test('in a folder that another one uses is one line that says so, and the other one goes on', async () => {
    const house = await startEmbedded();
    const { code, stderr } = await fieldline(['--port', '0', '--data', house.dataDir]);
    expect(code).toBe(1);
    isOneLine(stderr);
    expect(stderr).toMatch(/in use/);
    expect((await newUser(house)).token).toEqual(expect.any(String));
    await house.stop();
  });

  test.each([
    [['--prot', '8080'], {}],
    [['--port', 'eighty'], {}],
    [['--port', '70000'], {}],
    [['--port'], {}],
    [['serve'], {}],
    [[], { RATE_LIMIT: 'fast' }],
    [[], { DEBUG_PROVISIONING: 'yes' }],
    [[], { ADMIN_EMAIL: 'nobody' }],
    [[], { ADMIN_EMAIL: 'somebody@people.example' }],
    [[], { ADMIN_PASSWORD: 'short', ADMIN_EMAIL: 'somebody@people.example' }],
    [[], { SECRET_KEY: 'short' }],
  ])('with %j and %j says what is wrong, without a stack, and exits with 2', async (args, env) => {
    const { path } = await tempDir();
    const { code, stdout, stderr } = await fieldline(['--data', path, ...args], { PORT: '0', ...env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^configuration: /);
    expect(stderr).not.toContain('    at ');
    expect(stdout).not.toContain('fatal');
  });

  test('with --help shows the flags', async () => {
    const { code, stdout } = await fieldline(['--help']);
    expect(code).toBe(0);
    for (const flag of ['--no-demo', '--port', '--data']) expect(stdout).toContain(flag);
  });

  test('prints the administrator’s login once, and the lines to send a first reading, which work as they are', async () => {
    const { path } = await tempDir();
    const port = await freePort();
    const process = await startPlain(port, path);
    const url = `http://localhost:${port}`;
    expect(process.output).toContain(url);
    expect(process.output).toContain(`${url}/docs`);
    const [, email = '', password = ''] = /Administrator\s+(\S+@\S+)\s+(\S+)/.exec(process.output) ?? [];
    const { visitor } = await logIn(houseAt(url), email, password);
    expect(await visitor.get('/user/me')).toMatchObject({ status: 200, body: { role: 'admin', email } });

    const [, lines = ''] = process.output.split('Send a first reading:');
    expect(lines).toContain('curl');
    const sent = await run('sh', ['-eu', '-c', lines]);
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(Receipt.parse(JSON.parse(sent.stdout))).toMatchObject({ ok: true, accepted: 1, rejected: [] });
    const { text } = await visitor.get('/api/devices');
    const id = /"id":"([^"]+)"/.exec(text)?.[1] ?? '';
    expect(await settledLedger(visitor, id)).toMatchObject({ received: 1, stored: 1 });

    await process.restart();
    expect(process.output).toContain(`${url}/docs`);
    expect(process.output).not.toMatch(/Administrator/);
    expect(process.output).not.toContain(password);
    expect(await visitor.get('/user/me')).toMatchObject({ status: 200 });
    expect((await logIn(houseAt(url), email, password)).token).toEqual(expect.any(String));
    expect(await settledLedger(visitor, id)).toMatchObject({ received: 1, stored: 1 });
    await process.stop();
  }, 60_000);

  test('starts a small simulated fleet, whose readings come in', async () => {
    const { path } = await tempDir();
    const port = await freePort();
    const process = await startPlain(port, path, []);
    const [, email = '', password = ''] = /Administrator\s+(\S+@\S+)\s+(\S+)/.exec(process.output) ?? [];
    const { visitor } = await logIn(houseAt(`http://localhost:${port}`), email, password);
    const latest = await waitUntil(
      async () => {
        const { text } = await visitor.get('/api/devices');
        const id = /"id":"([^"]+)"/.exec(text)?.[1];
        if (id === undefined) return false;
        const answer = await visitor.get(`/api/devices/${id}/latest`);
        return answer.text.includes('"value"') && answer.text;
      },
      { what: 'the fleet has sent readings', timeoutMs: 20_000 },
    );
    expect(latest).toContain('"receivedAt"');
    expect(await process.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);

  test('keeps its secrets where only its owner reads them, and no password or token in clear', async () => {
    const house = await startEmbedded();
    const person = await newUser(house);
    const device = await newDevice(person.visitor);
    await house.stop();
    const listed = await run('sh', [
      '-c',
      `ls -l "$0"/secret.key && cat "$0"/*.db "$0"/*-wal | base64 -w0`,
      house.dataDir,
    ]);
    expect(listed.stdout).toMatch(/^-rw-------/);
    const bytes = Buffer.from(listed.stdout.split('\n')[1] ?? '', 'base64').toString('latin1');
    for (const secret of [person.password, person.token, person.refreshToken, device.token, house.admin.password]) {
      expect(bytes).not.toContain(secret);
    }
    expect(await readFile(join(house.dataDir, 'secret.key'), 'utf8')).toMatch(/\S{32,}/);
  }, 60_000);
});

(E2E_URL ? describe.skip : describe)('ending the embedded mode', () => {
  afterAll(disconnectAll);

  /** Sends batches one after the other until the connection is gone; gives back everything that was acknowledged. */
  async function sendUntilTheEnd(socket: Socket, sensor: string): Promise<Sent[]> {
    const acknowledged: Sent[] = [];
    let until = Date.now() - 3_600_000;
    while (socket.connected) {
      until += 20;
      const batch = readings(10, sensor, until);
      const answer = await ask(socket, 'readings', batch).catch(() => undefined);
      if (Receipt.safeParse(answer).success) acknowledged.push(...batch);
    }
    return acknowledged;
  }

  const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
  test.each(signals)(
    'by %s under load is clean, within 10 s, and keeps every acknowledged reading',
    async (signal) => {
      const first = await startEmbedded();
      const admin = await administrator(first);
      const device = await newDevice(admin);
      const sockets = await Promise.all(Array.from({ length: 8 }, () => connect(first, '/telemetry', device.token)));
      const sending = Promise.all(sockets.map((socket, index) => sendUntilTheEnd(socket, `sensor-${index}`)));
      await waitUntil(async () => (await admin.get(`/api/devices/${device.id}/latest`)).text.includes('sensor-7'), {
        what: 'readings flow',
      });
      const { standalone } = first.own.services;
      standalone!.signal(signal);
      expect(await standalone!.exited).toEqual({ code: 0, signal: null });
      const acknowledged = (await sending).flat();
      expect(acknowledged.length).toBeGreaterThan(0);

      const second = await restarted(first);
      const again = new Visitor(second, admin.token);
      const ledger = await settledLedger(again, device.id);
      expect(ledger.received).toBe(ledger.stored);
      const found = new Set((await storedReadings(again, device.id)).map(({ sensor, ts }) => `${sensor} ${ts}`));
      expect(acknowledged.filter(({ sensor, ts }) => !found.has(`${sensor} ${ts}`))).toEqual([]);
      await second.stop();
    },
    60_000,
  );

  /** The same folder and port again; whoever was logged in still is. */
  const restarted = (house: EmbeddedHouse): Promise<EmbeddedHouse> =>
    startEmbedded({ dataDir: house.dataDir, port: Number(new URL(house.url).port) });
});

(E2E_URL ? describe.skip : describe)('npm start', () => {
  test('builds once: the second start finds the build up to date', async () => {
    const build = join(projectFolder, 'scripts/build-if-needed.mjs');
    expect(await run(process.execPath, [build])).toMatchObject({ code: 0 });
    expect(await run(process.execPath, [build])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  }, 120_000);
});
