import { isAbsolute, join } from 'node:path';
import { ChildProcess } from './child-process.ts';
import { projectFolder } from './project-folder.ts';

export type ServiceOptions = {
  /** JavaScript that node runs, absolute or from the repository's folder, for example `dist/apps/auth/src/main.js`. */
  script: string;
  /** What messages call it; default: the script. */
  name?: string;
  args?: string[];
  /** Options of node itself, for example `--conditions=source`. */
  nodeArgs?: string[];
  /** Added to this process' environment; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Default 20,000. */
  readyTimeoutMs?: number;
} & (
  | {
      /** Ready when its output matches. */
      readyLine: RegExp;
    }
  | {
      /** Ready when a GET answers with a status below 400. */
      readyUrl: string;
    }
);

/** Runs a built program as a process of its own; see {@link ChildProcess} for `kill`, `restart`, `stop` and `output`. */
export function spawnService(options: ServiceOptions): Promise<ChildProcess> {
  const { script, name = script, args = [], nodeArgs = [], env, cwd = projectFolder, readyTimeoutMs } = options;
  const path = isAbsolute(script) ? script : join(projectFolder, script);
  return ChildProcess.start({
    name,
    command: process.execPath,
    args: [...nodeArgs, path, ...args],
    env: { NODE_OPTIONS: undefined, ...env },
    cwd,
    isReady: (child) => ('readyLine' in options ? options.readyLine.test(child.output) : answers(options.readyUrl)),
    ...(readyTimeoutMs !== undefined && { readyTimeoutMs }),
  });
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status < 400;
}
