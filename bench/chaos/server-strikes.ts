import { readFileSync } from 'node:fs';
import type { ChildProcess, OwnServer } from '#testing';
import type { SuiteHouse } from '../../e2e/house.ts';
import type { Platform } from '../platform/platform.ts';
import type { Strike } from './strike.ts';

const AWAY_MS = 2_000;
const DATABASE_AWAY_MS = 10_000;

/** What may happen to the suite of services and to the servers below it, one process after the other. */
export function serverStrikes(platform: Platform<SuiteHouse>): Strike[] {
  const { servers, own } = platform.house;
  const service = (name: string): ChildProcess => {
    const process = own.services[name];
    if (!process) throw new Error(`there is no service ${name}`);
    return process;
  };
  return [
    { ...killed('one of two telemetry replicas', service('telemetry-1')), goesOn: true },
    { ...stopped('one of two telemetry replicas', service('telemetry-2')), goesOn: true },
    killed('nats-server', servers.nats),
    stopped('nats-server', servers.nats),
    { ...killed('the database of readings', servers.mongodb), goesOn: true },
    ...engineKilled(servers.mongodb),
    { ...killed('the database of readings, for 10 s', servers.mongodb), awayMs: DATABASE_AWAY_MS, goesOn: true },
    { ...killed('MySQL', servers.mysql), goesOn: true },
    { ...killed('device-registry', service('device-registry')), goesOn: true },
    { ...killed('auth', service('auth')), goesOn: true },
  ];
}

/** Those of {@link serverStrikes} that a short run keeps to. */
export const SHORT_STRIKES = [
  'kill -9 of one of two telemetry replicas',
  'kill -9 of nats-server',
  'kill -9 of the database of readings',
];

interface Mortal {
  kill(): Promise<void>;
  restart(): Promise<void>;
}

const killed = (name: string, process: Mortal): Strike => ({
  name: `kill -9 of ${name}`,
  hit: () => process.kill(),
  awayMs: AWAY_MS,
  heal: () => process.restart(),
  times: 1,
  goesOn: false,
});

const stopped = (name: string, process: ChildProcess | OwnServer): Strike => ({
  name: `SIGTERM to ${name}`,
  hit: async () => {
    await ('process' in process ? process.process : process).stop();
  },
  awayMs: AWAY_MS,
  heal: () => process.restart(),
  times: 1,
  goesOn: false,
});

/** FerretDB keeps its data in a PostgreSQL below it, which can die alone; a real mongod has nothing below it. */
function engineKilled(mongodb: OwnServer): Strike[] {
  const engine = (): number | undefined => childOf(mongodb.process.pid);
  if (engine() === undefined) return [];
  return [
    {
      name: 'kill -9 of PostgreSQL below FerretDB',
      hit: async () => {
        const pid = engine();
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      },
      awayMs: AWAY_MS,
      heal: () => mongodb.restart(),
      times: 1,
      goesOn: true,
    },
  ];
}

function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return child === undefined ? undefined : Number(child);
}
