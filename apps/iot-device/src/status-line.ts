import type { DeviceStats } from '#device-sdk';

/** What the line says. */
export interface Status {
  stats: DeviceStats;
  connections: { up: number; of: number };
  transport: 'socket' | 'mqtt';
  /** Readings acknowledged per second, lately. */
  rate: number;
}

const whole = (count: number): string => Math.round(count).toLocaleString('en-US');

/** The one line that tells how a fleet is doing. */
export function statusLine({ stats, connections, transport, rate }: Status): string {
  const connected = `${whole(connections.up)}/${whole(connections.of)} connected by ${transport}`;
  return [connected, totals(stats), `${whole(rate)}/s`].join(' · ');
}

/** What became of every reading. */
export function totals({ sent, acknowledged, resent, rejected, queued, dropped }: DeviceStats): string {
  return [
    `sent ${whole(sent)}`,
    `acknowledged ${whole(acknowledged)}`,
    `resent ${whole(resent)}`,
    `rejected ${whole(rejected)}`,
    `queued ${whole(queued)}`,
    ...(dropped > 0 ? [`dropped ${whole(dropped)}`] : []),
  ].join(' · ');
}

/** Readings per second over the time since the call before. */
export function createRate(now: () => number): (acknowledged: number) => number {
  let last = { at: now(), acknowledged: 0 };
  return (acknowledged) => {
    const at = now();
    const rate = (1_000 * (acknowledged - last.acknowledged)) / Math.max(1, at - last.at);
    last = { at, acknowledged };
    return rate;
  };
}

/** The last words about readings that have no receipt; undefined when there are none. */
export function leftovers(queued: number, outbox: string | undefined): string | undefined {
  if (queued === 0) return undefined;
  return outbox === undefined
    ? `${whole(queued)} readings have no receipt and are gone with this process: give --outbox <folder> to keep them.`
    : `${whole(queued)} readings have no receipt; they are kept in ${outbox} and sent by the next run with the same flags.`;
}
