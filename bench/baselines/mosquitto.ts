import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepts, ChildProcess, freePort, tempDir } from '#testing';
import type { Baseline } from './start-baseline.ts';

const DEBIAN_PATH = '/usr/sbin/mosquitto';

/** A mosquitto of its own that keeps nothing on disk; undefined where it is not installed. */
export async function startMosquitto(): Promise<Baseline | undefined> {
  const command = ['mosquitto', DEBIAN_PATH].find(isThere);
  if (command === undefined) return undefined;
  const [{ path }, port] = [await tempDir(), await freePort()];
  const file = join(path, 'mosquitto.conf');
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest none\nmax_inflight_messages 0\nset_tcp_nodelay true\n`,
  );
  const process = await ChildProcess.start({
    name: 'mosquitto',
    command,
    args: ['-c', file],
    isReady: () => accepts(port),
  });
  return { url: `mqtt://127.0.0.1:${port}`, process };
}

/** With `-h` it says what it is and ends, with a code above 0. */
function isThere(command: string): boolean {
  try {
    execFileSync(command, ['-h'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
  }
}
