import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadingInput } from '#contracts';
import {
  type Clock,
  type DeviceStats,
  FieldlineDevice,
  FileOutbox,
  type DeviceOptions,
  type GetToken,
  MemoryOutbox,
  OutboxFullError,
  type Provisioning,
  type Trouble,
  systemClock,
} from '#device-sdk';
import { type Pace, createPace } from './schedule.ts';
import { createSensor } from './signals.ts';
import { bringToLife } from './simulated-device.ts';
import { fileNameOf, suffixOf } from './ways.ts';

/** How a fleet gets in: by tokens, by a person's login, or every device, numbered from 1, by itself. */
export type FleetAccess =
  | { kind: 'tokens'; tokens: readonly string[] }
  | { kind: 'person'; getToken: GetToken }
  | { kind: 'own'; device: (number: number) => OwnDevice };

/** A device that gets itself in. */
export interface OwnDevice {
  name: string;
  provisioning: Provisioning;
  /** What it does besides, until the signal comes; `tell` takes sentences that go on after its name. */
  attend?: (signal: AbortSignal, tell: (sentence: string) => void) => Promise<void>;
}

/** What a fleet tells. */
export interface FleetListener {
  connected?(device: string): void;
  connectFailed?(device: string, failure: { message: string; retryInMs: number }): void;
  /** The device's token is refused; `everConnected` tells whether it was good before. */
  authError?(device: string, trouble: Trouble, everConnected: boolean): void;
  /** Something to be told of the device: a sentence that goes on after its name. */
  told?(device: string, sentence: string): void;
  rejected?(device: string, rejected: { reading: ReadingInput; code: string; message: string }): void;
  /** The fleet cannot go on. */
  failed?(error: Error): void;
}

/** A fleet of simulated devices. */
export interface FleetOptions {
  url: string;
  /** Over what devices speak with the platform; as the SDK has it by default. */
  transport?: DeviceOptions['transport'];
  mqttUrl?: string;
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
  /** A folder for what devices learned and for packages that they load; those are in the system's temporary folder otherwise. */
  state?: string;
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
  pace: Pace;
  /** A person's line is no device's: the platform does not speak to it. */
  isDevice: boolean;
  attend: OwnDevice['attend'];
  up: boolean;
}

/**
 * Starts simulated devices. There is one connection for each token: with a token each, and when devices get themselves in, every device has
 * its own; a single token or person stands for a gateway, over which all devices send, with `-<number>` after their sensors' names.
 * Resolves when the outboxes are open; connecting goes on by itself.
 *
 * @throws {OutboxLockedError} when another process uses the folder.
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { clock = systemClock, listener = {} } = options;
  const lines = createLines(options, clock);
  const ending = new AbortController();
  let refused = 0;
  let cancelTick: () => void;

  const stats = (): DeviceStats => {
    const total = lines.map((line) => line.device.stats).reduce(addStats, NO_READINGS);
    return { ...total, dropped: total.dropped + refused };
  };
  const take = (line: Line) => {
    const readings = line.pace.takeDue(clock.now());
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
    await Promise.all(lines.filter(({ isDevice }) => isDevice).map((line) => enliven(line, options, clock, listener)));
    await Promise.all(lines.map((line) => line.device.connect()));
  } catch (error) {
    await Promise.all(lines.map((line) => line.device.close()));
    throw error;
  }
  cancelTick = clock.after(TICK_MS, tick);
  lines.forEach((line) => void attendTo(line, ending.signal, listener));

  return {
    get stats() {
      return stats();
    },
    get connections() {
      return { up: lines.filter((line) => line.up).length, of: lines.length };
    },
    async stop({ flushMs = 10_000 } = {}) {
      cancelTick();
      ending.abort();
      await Promise.all(lines.map((line) => line.device.close({ flush: true, timeoutMs: flushMs })));
      return stats();
    },
  };
}

function createLines(options: FleetOptions, clock: Clock): Line[] {
  const { access, devices } = options;
  const numbers = Array.from({ length: devices }, (_, index) => index + 1);
  if (access.kind === 'own') {
    const slots = createSlots(PROVISIONED_AT_ONCE);
    return numbers.map((number) => {
      const { name, provisioning, attend } = access.device(number);
      const inLine: Provisioning = { enter: (refused) => slots(() => provisioning.enter(refused)) };
      return createLine(options, clock, [number], name, { provisioning: inLine }, attend);
    });
  }
  if (access.kind === 'person') {
    const line = createLine(options, clock, numbers, 'gateway', { getToken: access.getToken });
    return [{ ...line, isDevice: false }];
  }
  if (access.tokens.length === 1) return [createLine(options, clock, numbers, 'gateway', { token: access.tokens[0] })];
  return access.tokens.map((token, index) => createLine(options, clock, [index + 1], `device-${index + 1}`, { token }));
}

function createLine(
  options: FleetOptions,
  clock: Clock,
  numbers: readonly number[],
  name: string,
  auth: Pick<DeviceOptions, 'token' | 'getToken' | 'provisioning'>,
  attend?: OwnDevice['attend'],
): Line {
  const { url, transport, mqttUrl, outbox, batch, rate, sensors, location, seed = 1 } = options;
  const folder = outbox === undefined ? undefined : join(outbox, fileNameOf(name));
  const device = new FieldlineDevice({
    url,
    transport,
    mqttUrl,
    ...auth,
    clock,
    outbox: folder === undefined ? new MemoryOutbox({ whenFull: 'drop-oldest' }) : new FileOutbox({ folder }),
    ...(batch === undefined ? {} : { batch: { maxReadings: batch } }),
  });
  const simulated = numbers.map((number) => {
    const suffix = suffixOf(number, numbers.length);
    return {
      sensors: sensors.map((sensor) =>
        createSensor(sensor, { sentAs: `${sensor}${suffix}`, seed: seed * 100_003 + number * 16, location }),
      ),
      startTs: clock.now() + Math.floor((TICK_MS * number) / options.devices),
    };
  });
  return { name, device, pace: createPace(simulated, rate), isDevice: true, attend, up: false };
}

async function enliven(line: Line, options: FleetOptions, clock: Clock, listener: FleetListener): Promise<void> {
  const { state, outbox, sensors, rate } = options;
  const kept = state ?? (outbox === undefined ? undefined : join(outbox, '.state'));
  const folder = kept ?? join(tmpdir(), `fieldline-devices-${process.pid}`);
  await bringToLife({
    device: line.device,
    pace: line.pace,
    sensors: sensors.length,
    rate,
    clock,
    firmwareFolder: join(folder, 'firmware', fileNameOf(line.name)),
    keepsFirmware: kept !== undefined,
    tell: (sentence) => listener.told?.(line.name, sentence),
  });
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

/** What a device does besides sending is not worth ending the fleet for. */
async function attendTo(line: Line, signal: AbortSignal, listener: FleetListener): Promise<void> {
  try {
    await line.attend?.(signal, (sentence) => listener.told?.(line.name, sentence));
  } catch (error) {
    listener.told?.(line.name, `cannot be announced: ${error instanceof Error ? error.message : String(error)}`);
  }
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

const addStats = (a: DeviceStats, b: DeviceStats): DeviceStats => ({
  queued: a.queued + b.queued,
  sent: a.sent + b.sent,
  acknowledged: a.acknowledged + b.acknowledged,
  resent: a.resent + b.resent,
  rejected: a.rejected + b.rejected,
  dropped: a.dropped + b.dropped,
});
