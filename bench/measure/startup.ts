import { setTimeout as sleep } from 'node:timers/promises';
import { tempDir } from '#testing';
import { memoryOf } from '../platform/memory.ts';
import { startEmbeddedPlatform } from '../platform/embedded.ts';
import type { Figure } from '../report/figure.ts';

const IDLE_SECONDS = 10;
const READY_WITHIN_S = 3;
const IDLE_WITHIN_MIB = 200;

/** Time until the embedded mode is ready, with no data yet and with data, and what it holds in memory when nothing happens. */
export async function measureStartup(): Promise<Figure[]> {
  const folder = await tempDir();
  const first = await startOnce(folder.path);
  const again = await startOnce(folder.path);
  await folder.remove();
  const ready = (what: string, value: number): Figure => ({
    mode: 'embedded',
    what,
    value,
    unit: 's',
    aim: { text: `<= ${READY_WITHIN_S} s`, met: value <= READY_WITHIN_S },
  });
  return [
    ready('ready, first start', first.seconds),
    ready('ready, second start', again.seconds),
    {
      mode: 'embedded',
      what: `memory after ${IDLE_SECONDS} idle seconds`,
      value: again.idleMiB,
      unit: 'MiB',
      aim: { text: `<= ${IDLE_WITHIN_MIB} MiB`, met: again.idleMiB <= IDLE_WITHIN_MIB },
    },
  ];
}

async function startOnce(folder: string): Promise<{ seconds: number; idleMiB: number }> {
  const start = performance.now();
  const platform = await startEmbeddedPlatform(folder);
  const seconds = (performance.now() - start) / 1_000;
  await sleep(IDLE_SECONDS * 1_000);
  const { now } = await memoryOf(platform.pids);
  await platform.stop();
  return { seconds, idleMiB: now };
}
