import { join } from 'node:path';
import { CodedError, type ReadingInput } from '#contracts';
import {
  type Clock,
  type DeviceStats,
  FieldlineDevice,
  FileOutbox,
  type GetToken,
  MemoryOutbox,
  OutboxFullError,
  type Trouble,
  provisionDebug,
  systemClock,
} from '#device-sdk';
import { createSchedule } from './schedule.ts';
import { createSensor } from './signals.ts';

/** Where the tokens of a fleet come from. */
export type FleetAccess =
  | { kind: 'tokens'; tokens: readonly string[] }
  | { kind: 'person'; getToken: GetToken }
  | { kind: 'debug'; macPrefix: string };

/** What a fleet tells. */
export interface FleetListener {
  connected?(device: string): void;
  connectFailed?(device: string, failure: { message: string; retryInMs: number }): void;
  /** The device's token is refused; `everConnected` tells whether it was good before. */
  authError?(device: string, trouble: Trouble, everConnected: boolean): void;
  rejected?(device: string, rejected: { reading: ReadingInput; code: string; message: string }): void;
  /** The fleet cannot go on. */
  failed?(error: Error): void;
}

/** A fleet of simulated devices. */
export interface FleetOptions {
  url: string;
  access: FleetAccess;
  /** Simulated devices. */
  devices: number;
  /** Names of kinds in signals.ts, or of one's own. */
  sensors: readonly string[];
  /** Readings a second of each device, all its sensors together. */
  rate: number;
  /** Readings in a message at most; as the SDK has it by default. */
  batch?: number;
  /** A folder for the outboxes; in memory otherwise. */
  outbox?: string;
  location?: string;
  /** The same seed gives the same signals. */
  seed?: number;
  clock?: Clock;
  listener?: FleetListener;
}

/** A fleet at work. */
export interface Fleet {
  /** Readings of all devices together. */
  readonly stats: DeviceStats;
  /** Devices connected now, and connections there are to be. */
  readonly connections: { up: number; of: number };
  /** Takes no more readings, waits for receipts for up to `flushMs`, and disconnects; gives the final counts. */
  stop(options?: { flushMs?: number }): Promise<DeviceStats>;
}

/** How often readings are taken, in milliseconds, when the rate asks for no less. */
const TICK_MS = 100;
/** Devices that are provisioned at a time. */
const PROVISIONED_AT_ONCE = 10;
const NO_READINGS: DeviceStats = { queued: 0, sent: 0, acknowledged: 0, resent: 0, rejected: 0, dropped: 0 };

/** One connection to the platform and the simulated devices that send over it. */
interface Line {
  name: string;
  device: FieldlineDevice;
  takeDue: (now: number) => ReadingInput[];
  up: boolean;
}

/**
 * Starts simulated devices. There is one connection for each token: with a token each, and with debug provisioning, every device has its
 * own; a single token or person stands for a gateway, over which all devices send, with `-<number>` after their sensors' names.
 * Resolves when the outboxes are open; connecting goes on by itself.
 *
 * @throws {OutboxLockedError} when another process uses the folder.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { clock = systemClock, listener = {} } = options;
  const lines = createLines(options, clock);
  let refused = 0;
  let cancelTick: () => void;

  const stats = (): DeviceStats => {
    const total = lines.map((line) => line.device.stats).reduce(addStats, NO_READINGS);
    return { ...total, dropped: total.dropped + refused };
  };
  const take = (line: Line) => {
    const readings = line.takeDue(clock.now());
    if (readings.length === 0) return;
    line.device.send(readings).catch((error: unknown) => {
      if (error instanceof OutboxFullError) refused += readings.length;
      else listener.failed?.(error instanceof Error ? error : new Error(String(error)));
    });
  };
  const tick = () => {
    lines.forEach(take);
    cancelTick = clock.after(TICK_MS, tick);
  };

  lines.forEach((line) => listen(line, listener));
  try {
    await Promise.all(lines.map((line) => line.device.connect()));
  } catch (error) {
    await Promise.all(lines.map((line) => line.device.close()));
    throw error;
  }
  cancelTick = clock.after(TICK_MS, tick);

  return {
    get stats() {
      return stats();
    },
    get connections() {
      return { up: lines.filter((line) => line.up).length, of: lines.length };
    },
    async stop({ flushMs = 10_000 } = {}) {
      cancelTick();
      await Promise.all(lines.map((line) => line.device.close({ flush: true, timeoutMs: flushMs })));
      return stats();
    },
  };
}

function createLines(options: FleetOptions, clock: Clock): Line[] {
  const { access, devices } = options;
  const numbers = Array.from({ length: devices }, (_, index) => index + 1);
  if (access.kind === 'debug') {
    const slots = createSlots(PROVISIONED_AT_ONCE);
    return numbers.map((number) => {
      const macAddress = macOf(access.macPrefix, number);
      return createLine(options, clock, [number], macAddress, {
        getToken: provisioned(options.url, macAddress, slots),
      });
    });
  }
  if (access.kind === 'person') return [createLine(options, clock, numbers, 'gateway', { getToken: access.getToken })];
  if (access.tokens.length === 1) return [createLine(options, clock, numbers, 'gateway', { token: access.tokens[0] })];
  return access.tokens.map((token, index) => createLine(options, clock, [index + 1], `device-${index + 1}`, { token }));
}

function createLine(
  options: FleetOptions,
  clock: Clock,
  numbers: readonly number[],
  name: string,
  auth: { token?: string; getToken?: GetToken },
): Line {
  const { url, outbox, batch, rate, sensors, location, seed = 1 } = options;
  const folder = outbox === undefined ? undefined : join(outbox, name.replaceAll(':', ''));
  const device = new FieldlineDevice({
    url,
    ...auth,
    clock,
    outbox: folder === undefined ? new MemoryOutbox({ whenFull: 'drop-oldest' }) : new FileOutbox({ folder }),
    ...(batch === undefined ? {} : { batch: { maxReadings: batch } }),
  });
  const schedules = numbers.map((number) => {
    const suffix = numbers.length === 1 ? '' : `-${String(number).padStart(String(numbers.length).length, '0')}`;
    const own = sensors.map((sensor) =>
      createSensor(sensor, { sentAs: `${sensor}${suffix}`, seed: seed * 100_003 + number * 16, location }),
    );
    return createSchedule(own, rate, clock.now() + Math.floor((TICK_MS * number) / options.devices));
  });
  return { name, device, takeDue: (now) => schedules.flatMap((takeDue) => takeDue(now)), up: false };
}

function listen(line: Line, listener: FleetListener): void {
  let everConnected = false;
  line.device.on('connected', () => {
    line.up = true;
    everConnected = true;
    listener.connected?.(line.name);
  });
  line.device.on('disconnected', () => {
    line.up = false;
  });
  line.device.on('connect-failed', (failure) => listener.connectFailed?.(line.name, failure));
  line.device.on('auth-error', (trouble) => listener.authError?.(line.name, trouble, everConnected));
  line.device.on('rejected', (rejected) => listener.rejected?.(line.name, rejected));
}

/**
 * A token by debug provisioning; a refused token is asked for again, which gives the new one after a rotation. A platform that does not
 * allow it is a credential error, since no retry of the device's own will cure it.
 */
function provisioned(url: string, macAddress: string, slots: ReturnType<typeof createSlots>): GetToken {
  return async () => {
    try {
      return await slots(() => provisionDebug({ url, macAddress }));
    } catch (error) {
      const coded = CodedError.from(error);
      if (coded?.code === 'DEBUG_PROVISIONING_OFF') throw new CodedError('BAD_CREDENTIALS', coded.message);
      throw error;
    }
  };
}

/** Lets `size` jobs run at a time; the others wait in line. */
function createSlots(size: number) {
  let free = size;
  const waiting: (() => void)[] = [];
  return async <T>(job: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** The MAC address of device `number`: the prefix, filled up to six pairs with the number. */
export function macOf(prefix: string, number: number): string {
  const pairs = prefix.split(':');
  const digits = number
    .toString(16)
    .toUpperCase()
    .padStart(2 * (6 - pairs.length), '0');
  return [...pairs, ...(digits.match(/../g) ?? [])].join(':');
}

const addStats = (a: DeviceStats, b: DeviceStats): DeviceStats => ({
  queued: a.queued + b.queued,
  sent: a.sent + b.sent,
  acknowledged: a.acknowledged + b.acknowledged,
  resent: a.resent + b.resent,
  rejected: a.rejected + b.rejected,
  dropped: a.dropped + b.dropped,
});
