import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ChildProcess } from './child-process.ts';
import { tempDir } from './temp-dir.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const DEVTOOLS = /DevTools listening on (ws:\S+)/;

/** The browser's program: CHROMIUM_PATH, else the first of its usual names on PATH. */
export function chromiumPath(): string | undefined {
  const named = process.env['CHROMIUM_PATH'];
  if (named) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

export interface Chromium {
  /** Where the DevTools protocol listens. */
  devtoolsUrl: string;
  process: ChildProcess;
  stop(): Promise<void>;
}

/** A headless browser with a new profile. Without its sandbox, which a container and root do not allow: for own pages only. */
export async function launchChromium({ args = [] }: { args?: string[] } = {}): Promise<Chromium> {
  const command = chromiumPath();
  if (command === undefined) throw new Error("no Chromium: wrap the suite in describeWith(['chromium'], ...)");
  const profile = await tempDir();
  const child = await ChildProcess.start({
    name: 'chromium',
    command,
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile.path}`,
      ...args,
      'about:blank',
    ],
    isReady: ({ output }) => DEVTOOLS.test(output),
    readyTimeoutMs: 30_000,
  });
  return {
    devtoolsUrl: DEVTOOLS.exec(child.output)?.[1] ?? '',
    process: child,
    stop: async () => {
      await child.stop();
      await profile.remove();
    },
  };
}
