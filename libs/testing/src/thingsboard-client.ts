import { join } from 'node:path';
import { ChildProcess } from './child-process.ts';
import { projectFolder } from './project-folder.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

/** A Python program that uses ThingsBoard's own SDK or gateway, see scripts/thingsboard-clients.txt. */
export interface ThingsboardClient {
  process: ChildProcess;
  /** Where it runs. */
  folder: string;
  /** What it has said so far: each line of its output that is `name: <JSON>`. The last one of a name. */
  said(name: string): unknown;
  /** Waits until it has said that. @throws Error with the end of its output. */
  says(name: string, timeoutMs?: number): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts a program in a new folder; `env` is what it is told. Ready when it has said `ready: ...`, or at once. */
export async function startThingsboardClient(
  program: string,
  env: Record<string, string>,
  { awaitReady = true } = {},
): Promise<ThingsboardClient> {
  const folder = await tempDir();
  const child = await ChildProcess.start({
    name: program,
    command: join(projectFolder, 'scripts', 'servers'),
    args: ['run', 'thingsboard-clients', folder.path, program],
    env,
    isReady: ({ output }) => !awaitReady || saidIn(output, 'ready') !== undefined,
    readyTimeoutMs: 30_000,
  });
  return {
    process: child,
    folder: folder.path,
    said: (name) => saidIn(child.output, name),
    says: async (name, timeoutMs = 25_000) => {
      const isSaid = (): boolean => {
        if (!child.running && saidIn(child.output, name) === undefined) throw new Error(ended(program, child.output));
        return saidIn(child.output, name) !== undefined;
      };
      await waitUntil(isSaid, { what: `${program} says ${name}`, timeoutMs });
      return saidIn(child.output, name);
    },
    stop: async () => {
      await child.stop();
      await folder.remove();
    },
  };
}

const ended = (program: string, output: string): string => `${program} has ended:\n${output.slice(-2_000)}`;

function saidIn(output: string, name: string): unknown {
  const line = output.split('\n').findLast((text) => text.startsWith(`${name}: `));
  return line === undefined ? undefined : JSON.parse(line.slice(name.length + 2));
}
