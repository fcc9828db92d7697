import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { endWithTheTests } from './running.ts';
import { waitUntil } from './wait-until.ts';

/** How much of a process' output is kept: the end of it, in characters. */
const KEPT_OUTPUT = 1_000_000;
const STOP_TIMEOUT_MS = 10_000;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

export interface ChildProcessOptions {
  /** What messages call it. */
  name: string;
  command: string;
  args: string[];
  /** Added to this process' own environment; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Throws or gives false until the process can be used. */
  isReady: (child: ChildProcess) => boolean | Promise<boolean>;
  /** How long it may take to become ready; default 20,000. */
  readyTimeoutMs?: number;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface Run {
  pid: number;
  exited: Promise<Exit>;
  exit?: Exit;
  output: string;
}

/**
 * A process that can be stopped, killed as by a crash, and started again with the same arguments. It never outlives this
 * process (on Linux by the kernel's parent death signal), nor the test file that started it.
 */
export class ChildProcess {
  readonly #options: ChildProcessOptions;
  #end: () => Promise<void> = () => Promise.resolve();
  #run: Run | undefined;

  private constructor(options: ChildProcessOptions) {
    this.#options = options;
  }

  /**
   * Starts it and waits until it is ready.
   * @throws Error with the end of its output when it exits before or is not ready in time.
   */
  static async start(options: ChildProcessOptions): Promise<ChildProcess> {
    const child = new ChildProcess(options);
    try {
      await child.#launch();
    } catch (error) {
      await child.kill();
      await child.stop();
      throw error;
    }
    return child;
  }

  /** Of the run that started last. */
  get pid(): number {
    if (!this.#run) throw new Error(`${this.#options.name} was never started`);
    return this.#run.pid;
  }

  get running(): boolean {
    return this.#run !== undefined && this.#run.exit === undefined;
  }

  /** The end of what the run that started last wrote to stdout and stderr, at most a million characters. */
  get output(): string {
    return this.#run?.output ?? '';
  }

  /** Settles when the run that started last has ended. */
  get exited(): Promise<Exit> {
    if (!this.#run) throw new Error(`${this.#options.name} was never started`);
    return this.#run.exited;
  }

  /** A crash: SIGKILL to it and to every process below it. Settles when it has gone; no effect on one that has. */
  async kill(): Promise<void> {
    if (!this.#run) return;
    if (this.running) {
      const below = await descendants(this.#run.pid);
      for (const pid of [this.#run.pid, ...below]) sendSignal(pid, 'SIGKILL');
    }
    await this.#run.exited;
  }

  /** Asks it to end (SIGTERM), kills it after 10 s. No effect on one that has ended. */
  async stop(): Promise<Exit | undefined> {
    await this.#end();
    return this.#run?.exit;
  }

  /** Starts it again with the same arguments, after ending it if it runs, and waits until it is ready. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#launch();
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) sendSignal(this.pid, name);
  }

  async #terminate(): Promise<void> {
    const run = this.#run;
    if (!run || run.exit) return;
    sendSignal(run.pid, 'SIGTERM');
    const timer = setTimeout(() => void this.kill(), STOP_TIMEOUT_MS);
    await run.exited;
    clearTimeout(timer);
  }

  async #launch(): Promise<void> {
    const { name, isReady, readyTimeoutMs: timeoutMs = 20_000 } = this.#options;
    const run = await this.#spawn();
    this.#run = run;
    this.#end = endWithTheTests(() => this.#terminate());
    await waitUntil(async () => run.exit !== undefined || (await isReady(this)), {
      what: `${name} is ready`,
      timeoutMs,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.#lastLines()}`);
    });
    if (run.exit)
      throw new Error(`${name} ended before it was ready (${describeExit(run.exit)})\n${this.#lastLines()}`);
  }

  #spawn(): Promise<Run> {
    const { command, args, env, cwd } = this.#options;
    const tied = SETPRIV
      ? { file: SETPRIV, argv: ['--pdeathsig', 'KILL', command, ...args] }
      : { file: command, argv: args };
    const child = spawn(tied.file, tied.argv, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => {
        const exited = new Promise<Exit>((settle) => {
          child.once('exit', (code, signal) => {
            run.exit = { code, signal };
            settle(run.exit);
          });
        });
        const run: Run = { pid: child.pid ?? 0, exited, output: '' };
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (text: string) => {
            run.output = (run.output + text).slice(-KEPT_OUTPUT);
          });
        }
        resolve(run);
      });
    });
  }

  #lastLines(): string {
    return this.output.trimEnd().split('\n').slice(-20).join('\n');
  }
}

function describeExit({ code, signal }: Exit): string {
  return signal ?? `exit code ${code}`;
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** An error of Node's own is no `Error` of the realm that jest makes for a test. */
const isGone = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ESRCH';

/** Every process below `pid`, nearest first; empty where there is no /proc. */
async function descendants(pid: number): Promise<number[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = listed.split(' ').filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

/** Whether something on this machine accepts connections on `port`. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
