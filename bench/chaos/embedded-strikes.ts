import type { ChildProcess } from '#testing';
import type { EmbeddedHouse } from '../../e2e/house.ts';
import type { Platform } from '../platform/platform.ts';
import { startProbe } from './probe.ts';
import type { SmallDisk } from './small-disk.ts';
import type { Strike } from './strike.ts';

/** What may happen to the one process. `disk` holds its data. */
export function embeddedStrikes(platform: Platform<EmbeddedHouse>, disk: SmallDisk | undefined): Strike[] {
  const { standalone } = platform.house.own.services;
  if (!standalone) throw new Error('the embedded mode has no process');
  const strikes = [killed(standalone), stopped(standalone)];
  return disk ? [...strikes, diskFull(platform, disk)] : strikes;
}

const killed = (process: ChildProcess): Strike => ({
  name: 'kill -9 of the process',
  hit: () => process.kill(),
  awayMs: 1_000,
  heal: () => process.restart(),
  goesOn: false,
});

const stopped = (process: ChildProcess): Strike => ({
  name: 'SIGTERM to the process',
  hit: async () => {
    const exit = await process.stop();
    if (exit?.code !== 0) throw new Error(`SIGTERM ended it with ${exit?.signal ?? exit?.code}:\n${process.output}`);
  },
  awayMs: 1_000,
  heal: () => process.restart(),
  goesOn: false,
});

const diskFull = (platform: Platform, disk: SmallDisk): Strike => ({
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
  goesOn: false,
});
