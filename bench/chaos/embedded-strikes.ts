import type { ChildProcess } from '#testing';
import type { EmbeddedHouse } from '../../e2e/house.ts';
import type { Platform } from '../platform/platform.ts';
import { startProbe } from './probe.ts';
import type { SmallDisk } from './small-disk.ts';
import type { Strike } from './strike.ts';

const KILLS = 3;

/** What may happen to the one process. */
export function processStrikes(platform: Platform<EmbeddedHouse>): Strike[] {
  const { standalone } = platform.house.own.services;
  if (!standalone) throw new Error('the embedded mode has no process');
  return [killed(standalone), stopped(standalone)];
}

const killed = (process: ChildProcess): Strike => ({
  name: `kill -9 of the process, ${KILLS} times`,
  hit: () => process.kill(),
  awayMs: 500,
  heal: () => process.restart(),
  times: KILLS,
  goesOn: false,
});

const stopped = (process: ChildProcess): Strike => ({
  name: 'SIGTERM to the process',
  hit: async () => {
    const exit = await process.stop();
    if (exit?.code !== 0) throw new Error(`SIGTERM ended it with ${exit?.signal ?? exit?.code}:\n${process.output}`);
  },
  awayMs: 500,
  heal: () => process.restart(),
  times: 1,
  goesOn: false,
});

/** What may happen to the disk that holds the data of the one process. */
export const diskFull = (platform: Platform<EmbeddedHouse>, disk: SmallDisk): Strike => ({
  name: 'disk full',
  hit: async () => {
    const probe = await startProbe(platform);
    disk.fill();
    await probe.refusedAsBusy();
  },
  awayMs: 2_000,
  heal: async () => {
    disk.free();
  },
  times: 1,
  goesOn: false,
});
