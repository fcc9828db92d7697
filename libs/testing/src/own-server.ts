import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { accepts, ChildProcess } from './child-process.ts';
import { freePort } from './free-port.ts';
import { projectFolder } from './project-folder.ts';
import { tempDir } from './temp-dir.ts';

/** The command that knows where each server's program is and how to start it. */
const SERVERS = join(projectFolder, 'scripts', 'servers');

export type ServerName = 'mysql' | 'mongodb' | 'nats' | 'nginx' | 'thingsboard-clients';

/** A server of the test's own, on 127.0.0.1. */
export interface OwnServer {
  url: string;
  port: number;
  /** Where it stores; kept by `kill`, `stop` and `restart`. Deleted at the end of the test file unless the caller named it. */
  dataDir: string;
  process: ChildProcess;
  /** A crash: SIGKILL, now. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and with the same data; settles when it answers. */
  restart(): Promise<void>;
  /** Ends it, and deletes its data unless the caller named the folder. */
  stop(): Promise<void>;
}

export interface OwnServerOptions {
  /** Default: a free one. */
  port?: number;
  /** Default: a new folder, deleted by `stop`. */
  dataDir?: string;
}

/** Whether this machine has the program of a server (scripts/servers: the installed tree, else PATH). */
export function hasOwn(server: ServerName): boolean {
  try {
    execFileSync(SERVERS, ['has', server], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface Recipe {
  server: ServerName;
  url: (port: number) => string;
  /** Arguments of `scripts/servers run` after the server's name. */
  args: (dataDir: string, port: number) => string[];
  /** Throws until it answers. Default: the port accepts connections. */
  isReady?: (url: string) => Promise<boolean>;
}

/** @throws Error with the server's own last lines, or the one line that says how to install it. */
export async function startOwn(recipe: Recipe, options: OwnServerOptions = {}): Promise<OwnServer> {
  const port = options.port ?? (await freePort());
  const folder =
    options.dataDir === undefined ? await tempDir() : { path: options.dataDir, remove: () => Promise.resolve() };
  const url = recipe.url(port);
  const child = await ChildProcess.start({
    name: recipe.server,
    command: SERVERS,
    args: ['run', recipe.server, ...recipe.args(folder.path, port)],
    isReady: async () => (await accepts(port)) && (recipe.isReady === undefined || (await recipe.isReady(url))),
  });
  return {
    url,
    port,
    dataDir: folder.path,
    process: child,
    kill: () => child.kill(),
    restart: () => child.restart(),
    stop: async () => {
      await child.stop();
      await folder.remove();
    },
  };
}
