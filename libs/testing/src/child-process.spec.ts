import { existsSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ChildProcess, type ChildProcessOptions } from './child-process.ts';
import { waitUntil } from './wait-until.ts';

function program(source: string, options: Partial<ChildProcessOptions> = {}): ChildProcessOptions {
  return {
    name: 'program',
    command: process.execPath,
    args: ['-e', source],
    env: { NODE_OPTIONS: undefined },
    isReady: ({ output }) => output.includes('ready'),
    ...options,
  };
}

const FOREVER = `console.log('ready', process.env.COLOUR); setInterval(() => {}, 1000);`;
const STUBBORN = `process.on('SIGUSR2', () => console.log('asked')); ${FOREVER}`;
const PARENT = `
  const { spawn } = require('node:child_process');
  const below = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  console.log('below ' + below.pid + ' ready');
  setInterval(() => {}, 1000);`;

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/root`) || signalReaches(pid);
}

function signalReaches(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a child process', () => {
  test('has its environment, and its output can be read', async () => {
    const child = await ChildProcess.start(program(FOREVER, { env: { NODE_OPTIONS: undefined, COLOUR: 'green' } }));
    expect(child.output).toBe('ready green\n');
    await expect(child.stop()).resolves.toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('that ends before it is ready is an error with its last words', async () => {
    const start = ChildProcess.start(program(`console.error('no such file'); process.exit(3)`));
    await expect(start).rejects.toThrow(/program ended before it was ready \(exit code 3\)\nno such file/);
  });

  test('that is never ready is an error, and is ended', async () => {
    let pid = 0;
    const isReady = (child: ChildProcess) => {
      pid = child.pid;
      return false;
    };
    const start = ChildProcess.start(program(FOREVER, { isReady, readyTimeoutMs: 50 }));
    await expect(start).rejects.toThrow('until program is ready');
    expect(isAlive(pid)).toBe(false);
  });

  test('that does not exist is an error', async () => {
    const start = ChildProcess.start(program('', { command: '/nowhere/program', args: [] }));
    await expect(start).rejects.toThrow();
  });

  test('is killed as by a crash, with what runs below it, and starts again', async () => {
    const child = await ChildProcess.start(program(PARENT));
    const first = child.pid;
    const below = Number(/below (\d+)/.exec(child.output)?.[1]);
    await child.kill();
    await expect(child.exited).resolves.toEqual({ code: null, signal: 'SIGKILL' });
    await waitUntil(() => !signalReaches(below), { what: 'the process below has gone' });
    await child.restart();
    expect(child.running).toBe(true);
    expect(child.pid).not.toBe(first);
    await child.stop();
    expect(child.running).toBe(false);
  });

  test('is killed with what runs below it, though others kill those at the same time', async () => {
    const child = await ChildProcess.start(program(PARENT));
    const below = Number(/below (\d+)/.exec(child.output)?.[1]);
    await Promise.all([child.kill(), child.kill(), child.kill()]);
    await waitUntil(() => !signalReaches(below), { what: 'the process below has gone' });
    expect(child.running).toBe(false);
  });

  test('receives signals', async () => {
    const child = await ChildProcess.start(program(STUBBORN));
    child.signal('SIGUSR2');
    await waitUntil(() => child.output.includes('asked'), { what: 'the signal is answered' });
    await child.stop();
  });

  test('that ended by itself can be stopped and killed without effect', async () => {
    const child = await ChildProcess.start(program(`console.log('ready'); setTimeout(() => process.exit(0), 20)`));
    await child.exited;
    await child.kill();
    await expect(child.stop()).resolves.toEqual({ code: 0, signal: null });
  });
});
