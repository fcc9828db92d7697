import { fileURLToPath } from 'node:url';
import { spawnService, type ChildProcess } from '#testing';

const LISTENING = /^listening on (\S+)$/m;

/** A server to compare with, as a process of its own. */
export interface Baseline {
  url: string;
  process: ChildProcess;
}

export async function startBaseline(
  program: 'empty-handler' | 'naive-sqlite' | 'naive-mongodb' | 'bare-mqtt',
  args: string[] = [],
): Promise<Baseline> {
  const script = fileURLToPath(new URL(`${program}.main.js`, import.meta.url));
  const child = await spawnService({ name: program, script, args, readyLine: LISTENING });
  return { url: LISTENING.exec(child.output)?.[1] ?? '', process: child };
}
