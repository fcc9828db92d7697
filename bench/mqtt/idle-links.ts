import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { memoryOf } from '../platform/memory.ts';
import type { Platform } from '../platform/platform.ts';
import type { Figure } from '../report/figure.ts';

const PROGRAM = fileURLToPath(new URL('links.main.js', import.meta.url));
/** The first of them, which warm up what is only there once. */
const WARM_UP = 2_000;
const LINKS = 10_000;
const AIM_KB = 20;
/** How long the platform is left alone before it is measured, in seconds. */
const SETTLE_S = 15;

/** Memory of a link on which nothing happens: how much the process grows from 2,000 to 12,000 links. */
export async function idleLinks(platform: Platform): Promise<Figure[]> {
  const tokens = await platform.tokens(WARM_UP + LINKS);
  const holder = fork(PROGRAM);
  const hold = async (some: string[]): Promise<number> => {
    holder.send({ url: platform.directMqttUrl, tokens: some });
    const [ended] = (await Promise.race([once(holder, 'message'), once(holder, 'exit')])) as unknown[];
    if (ended !== some.length) throw new Error(`the links were not all made: ${String(ended)}`);
    await sleep(SETTLE_S * 1_000);
    return (await memoryOf(platform.pids.slice(0, 1))).now;
  };
  try {
    const before = await hold(tokens.slice(0, WARM_UP));
    const after = await hold(tokens.slice(WARM_UP));
    const value = ((after - before) * 1_024) / LINKS;
    const aim = { text: `<= ${String(AIM_KB)} KiB`, met: value <= AIM_KB };
    return [
      {
        mode: platform.name,
        what: `memory of an idle MQTT link, of ${LINKS.toLocaleString('en-US')}`,
        value,
        unit: 'KiB',
        aim,
      },
    ];
  } finally {
    holder.kill();
  }
}
