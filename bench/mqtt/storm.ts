import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { SuiteHouse } from '../../e2e/house.ts';
import { Ranges } from '../counting/ranges.ts';
import { isSound, tally } from '../counting/tally.ts';
import type { Platform } from '../platform/platform.ts';
import type { Figure } from '../report/figure.ts';

const PROGRAM = fileURLToPath(new URL('storm.main.js', import.meta.url));
const DEVICES = 5_000;
/** Readings flow for so long before the blow, and after all are back. */
const FLOW_MS = 4_000;

const RangeLists = z.array(z.array(z.tuple([z.number(), z.number()])));
const Linked = z.object({ linked: z.number() });
const Back = z.object({ backMs: z.number() });
const Done = z.object({ sent: RangeLists, acknowledged: RangeLists });

/** All devices are linked to one of two replicas, which is killed: how long until all are back, and is every acknowledged reading there? */
export async function reconnectStorm(platform: Platform<SuiteHouse>, now: number): Promise<Figure[]> {
  const { 'telemetry-1': first, 'telemetry-2': second } = platform.house.own.services;
  if (!first || !second) throw new Error('a reconnect storm needs two replicas');
  const plan = { name: 'storm', devices: DEVICES, sensors: 1, t0: now - 3_600_000 };
  const tokens = await platform.tokens(DEVICES);
  const devices = fork(PROGRAM);
  try {
    await second.stop();
    devices.send({ url: platform.house.mqttUrl, plan, tokens });
    await told(devices, Linked);
    await second.restart();
    await sleep(FLOW_MS);
    await first.kill();
    const { backMs } = await told(devices, Back);
    await sleep(FLOW_MS);
    devices.send('end');
    const { sent, acknowledged } = await told(devices, Done);
    await first.restart();
    await platform.drained();
    const senders = sent.map((ranges, index) => ({
      sent: new Ranges(ranges),
      acknowledged: new Ranges(acknowledged[index] ?? []),
    }));
    const counts = tally(plan, senders, await platform.found(plan));
    const figure = (what: string, value: number, unit: string): Figure => ({ mode: platform.name, what, value, unit });
    return [
      figure(
        `reconnect storm: ${DEVICES.toLocaleString('en-US')} devices back after a replica's death`,
        backMs / 1_000,
        's',
      ),
      figure('reconnect storm: readings acknowledged', counts.acknowledged, ''),
      {
        ...figure('reconnect storm: acknowledged readings that are missing', counts.missing, ''),
        aim: { text: '0', met: isSound(counts) },
      },
    ];
  } finally {
    devices.kill();
  }
}

async function told<T>(devices: ChildProcess, what: z.ZodType<T>): Promise<T> {
  const [message] = (await Promise.race([once(devices, 'message'), once(devices, 'exit')])) as unknown[];
  if (typeof message === 'number') throw new Error('the devices of the reconnect storm could not go on');
  return what.parse(message);
}
