import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, ChildProcess } from './child-process.ts';
import { projectFolder } from './project-folder.ts';
import { tempDir } from './temp-dir.ts';

export type NginxOptions = {
  /** A port that the configuration listens on; nginx is ready when it accepts connections. */
  port: number;
  /** nginx's prefix (`-p`), which relative paths of the configuration start from; default: a new folder, deleted at the end. */
  dir?: string;
} & (
  | {
      /** Absolute. */
      configFile: string;
    }
  | {
      /** Written to `<dir>/nginx.conf`. */
      configText: string;
    }
);

export interface Nginx {
  /** `http://127.0.0.1:<port>` */
  url: string;
  dir: string;
  process: ChildProcess;
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Reads the configuration again (SIGHUP). */
  reload(): void;
  stop(): Promise<void>;
}

/**
 * Runs a real nginx in the foreground. The module `stream` is there without a `load_module`. The configuration gives all
 * five `*_temp_path` and the logs it wants (`error_log stderr;` shows in `process.output`), and no `daemon`.
 */
export async function startNginx({ port, dir, ...config }: NginxOptions): Promise<Nginx> {
  const folder = dir === undefined ? await tempDir() : { path: dir, remove: () => Promise.resolve() };
  const configFile = 'configFile' in config ? config.configFile : join(folder.path, 'nginx.conf');
  if ('configText' in config) await writeFile(configFile, config.configText);
  const child = await ChildProcess.start({
    name: 'nginx',
    command: join(projectFolder, 'scripts', 'servers'),
    args: ['run', 'nginx', folder.path, configFile],
    isReady: () => accepts(port),
  });
  return {
    url: `http://127.0.0.1:${port}`,
    dir: folder.path,
    process: child,
    kill: () => child.kill(),
    restart: () => child.restart(),
    reload: () => child.signal('SIGHUP'),
    stop: async () => {
      await child.stop();
      await folder.remove();
    },
  };
}
