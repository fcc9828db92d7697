import { userLogin } from '#device-sdk';
import type { Config } from './config.ts';
import { type FleetAccess, type FleetListener, startFleet } from './fleet.ts';
import type { Screen } from './screen.ts';
import { createRate, leftovers, statusLine, totals } from './status-line.ts';
import { ownDevices } from './ways.ts';

/** How long the end waits for receipts, in milliseconds. */
const FLUSH_MS = 10_000;
/** One failure to connect is told in this many milliseconds, however many devices meet it. */
const FAILURE_EVERY_MS = 10_000;
/** What a shell reports for a process that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Runs a fleet until its time is over, it is asked to end, or nothing can come of it. Gives the exit code: 0 when every reading taken has its
 * receipt or its rejection, 1 otherwise.
 */
export async function run(config: Config, screen: Screen): Promise<number> {
  const end = createEnd(config.duration);
  const { rate: readings, devices, sensors, url, transport } = config;
  screen.say(
    `${devices} simulated device(s) with ${sensors.join(', ')} send ${readings} readings/s each to ${url} by ${transport}.`,
  );
  const fleet = await startFleet({ ...config, access: accessOf(config), listener: createListener(screen, end.give) });
  const rateOf = createRate(Date.now);
  const show = () => {
    const { stats, connections } = fleet;
    screen.status(statusLine({ stats, connections, transport, rate: rateOf(stats.acknowledged) }));
  };
  const timer = setInterval(show, screen.intervalMs);
  const failure = await end.given;
  if (failure) screen.say(failure);
  else if (fleet.stats.queued > 0) screen.say(`Ending: waiting up to ${FLUSH_MS / 1_000} s for receipts.`);
  const stats = await fleet.stop({ flushMs: failure ? 0 : FLUSH_MS });
  clearInterval(timer);
  const left = leftovers(stats.queued, config.outbox);
  screen.end([totals(stats), ...(left ? [left] : [])]);
  return left || failure ? 1 : 0;
}

function accessOf({ sender, url, devices, state }: Config): FleetAccess {
  if (sender.kind === 'tokens') return sender;
  if (sender.kind === 'own') return ownDevices(sender.way, { url, devices, state });
  return { kind: 'person', getToken: userLogin({ url, email: sender.email, password: sender.password }) };
}

/** The end of a run: when the time is over, on SIGINT and SIGTERM, or with the failure that is given. A second signal does not wait. */
function createEnd(seconds: number | undefined) {
  let give: (failure?: string) => void = () => undefined;
  const given = new Promise<string | undefined>((resolve) => (give = resolve));
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(INTERRUPTED);
    asked = true;
    give();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  if (seconds !== undefined) setTimeout(() => give(), seconds * 1_000);
  return { give, given };
}

/** Says what went wrong once for all devices; a token that was never good ends the run. */
function createListener(screen: Screen, end: (failure: string) => void): FleetListener {
  let toldAt = -Infinity;
  const tell = (line: string) => {
    if (Date.now() - toldAt < FAILURE_EVERY_MS) return;
    toldAt = Date.now();
    screen.say(line);
  };
  return {
    connectFailed: (device, { message, retryInMs }) =>
      tell(`${device}: ${message} Trying again in ${(retryInMs / 1_000).toFixed(1)} s and on; readings wait.`),
    authError: (device, { code, message }, everConnected) => {
      const line = `${device} is not let in (${code}): ${message}`;
      if (everConnected) tell(line);
      else end(line);
    },
    told: (device, sentence) => screen.say(`${device} ${sentence}`),
    rejected: (device, { reading, code, message }) =>
      tell(`${device}: ${reading.sensor} was rejected (${code}): ${message}`),
    failed: (error) => end(error.message),
  };
}
