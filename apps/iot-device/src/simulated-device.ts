import { join } from 'node:path';
import { CodedError } from '#contracts';
import {
  type Clock,
  type FieldlineDevice,
  FileMemory,
  type FirmwareFile,
  MemoryMemory,
  type ProvisioningMemory,
  SDK_VERSION,
} from '#device-sdk';
import { z } from 'zod';
import type { Pace } from './schedule.ts';

/** What a simulated device is, to be spoken with. */
export interface Simulated {
  device: FieldlineDevice;
  pace: Pace;
  /** Names of its sensors, of which one after the other is read. */
  sensors: number;
  /** Readings a second. */
  rate: number;
  clock: Clock;
  /** Where packages are loaded to. */
  firmwareFolder: string;
  /** Does the folder outlive the process? */
  keepsFirmware: boolean;
  /** Takes sentences that go on after the device's name. */
  tell: (sentence: string) => void;
}

/** Seconds between two readings of one sensor. */
const Interval = z.number().min(0.001).max(86_400);
const SetInterval = z.object({ seconds: Interval });
const Installed = z.object({ title: z.string(), version: z.string() });
type Installed = z.output<typeof Installed>;

export const MODEL = 'fieldline-simulator';
/** What runs on a device that was never given anything else. */
const FACTORY: Installed = { title: MODEL, version: '1.0.0' };
/** How long a pretended restart and a pretended installation take, in milliseconds. */
const REBOOT_MS = 3_000;
const INSTALL_MS = 2_000;

/** Has a device answer commands, tell what it is, keep to the interval that it is given, and pretend to install firmware. */
export async function bringToLife(simulated: Simulated): Promise<void> {
  const { device, sensors, rate } = simulated;
  const state = { interval: sensors / rate, reboots: 0 };
  device
    .onCommand('ping', () => 'pong')
    .onCommand('set-interval', ({ params }) => {
      const { seconds } = parsedOr(SetInterval, params, 'set-interval takes {"seconds": 0.001 to 86400}.');
      return { interval: keepTo(simulated, state, seconds) };
    })
    .onCommand('reboot', () => {
      state.reboots += 1;
      simulated.pace.pauseUntil(simulated.clock.now() + REBOOT_MS);
      simulated.tell('pretends to restart.');
      report(device, { reboots: state.reboots });
      return { restarts: true, secondsAway: REBOOT_MS / 1_000 };
    })
    .onAttributes(({ changed }) => {
      const interval = Interval.safeParse(changed['interval']).data;
      if (interval !== undefined && interval !== state.interval) keepTo(simulated, state, interval);
    });
  report(device, { model: MODEL, sdk: SDK_VERSION, interval: state.interval });
  await takeFirmware(simulated);
}

function keepTo(
  { device, pace, sensors, clock, tell }: Simulated,
  state: { interval: number },
  seconds: number,
): number {
  state.interval = seconds;
  pace.setRate(sensors / seconds, clock.now());
  report(device, { interval: seconds });
  tell(`reads each sensor every ${seconds} s from now on.`);
  return seconds;
}

async function takeFirmware({ device, clock, firmwareFolder, keepsFirmware, tell }: Simulated): Promise<void> {
  const memory = keepsFirmware ? new FileMemory(join(firmwareFolder, 'installed.json')) : new MemoryMemory();
  const install = async ({ title, version, size }: FirmwareFile) => {
    tell(`pretends to install ${title} ${version} (${size} bytes).`);
    await new Promise<void>((resolve) => void clock.after(INSTALL_MS, resolve));
    await memory.save({ title, version } satisfies Installed);
    tell(`runs ${title} ${version}.`);
  };
  device.onFirmware({ current: await installedIn(memory), folder: firmwareFolder, install });
  device.on('firmware', ({ state, error }) => {
    if (state === 'FAILED') tell(`has not got its firmware: ${error ?? 'nobody knows why'}`);
  });
}

const installedIn = async (memory: ProvisioningMemory): Promise<Installed> =>
  Installed.safeParse(await memory.load()).data ?? FACTORY;

/** What cannot be told now is told by the SDK when there is a link; what the platform refuses, or nobody waits for any more, is let be. */
function report(device: FieldlineDevice, attributes: Record<string, unknown>): void {
  device.reportAttributes(attributes).catch(() => undefined);
}

function parsedOr<T>(shape: z.ZodType<T>, value: unknown, otherwise: string): T {
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw new CodedError('INVALID_INPUT', otherwise);
  return parsed.data;
}
