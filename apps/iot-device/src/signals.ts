import type { ReadingInput } from '#contracts';

/** The value of a sensor at a moment (ms since the epoch): the same for the same seed and moment. */
export type Signal = (ts: number) => number;

/** A kind of sensor: its unit and how it behaves. */
export interface SensorKind {
  unit?: string;
  signal: (seed: number) => Signal;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A number in [0, 1) that looks random but depends on nothing else than its arguments (the finaliser of MurmurHash3). */
export function noise(seed: number, step: number): number {
  let mixed =
    Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(step | 0, 0xc2b2ae35) ^ Math.floor(step / 4_294_967_296);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296;
}

/** Noise in (-1, 1), denser towards 0. */
const jitter = (seed: number, ts: number): number => noise(seed, ts) + noise(seed + 1, ts) - 1;

/** A slow wander in (-1, 1): smooth between points that lie `periodMs` apart. */
function drift(seed: number, ts: number, periodMs: number): number {
  const point = Math.floor(ts / periodMs);
  const part = ts / periodMs - point;
  const ease = part * part * (3 - 2 * part);
  return 2 * (noise(seed, point) * (1 - ease) + noise(seed, point + 1) * ease) - 1;
}

/** -1 at four in the morning, 1 at four in the afternoon, UTC. */
const daily = (ts: number): number => Math.cos((2 * Math.PI * (ts - 16 * HOUR)) / DAY);

/** 0 at night, 1 at noon, UTC. */
const daylight = (ts: number): number => Math.max(0, Math.sin((2 * Math.PI * (ts - 6 * HOUR)) / DAY));

const temperature = (seed: number): Signal => {
  const base = 18 + 6 * noise(seed, 0);
  return (ts) => base + 3 * daily(ts) + 1.5 * drift(seed, ts, 6 * HOUR) + 0.1 * jitter(seed, ts);
};

/** Warm air holds more water, so relative humidity falls as the temperature of the same seed rises. */
const humidity = (seed: number): Signal => {
  const warmth = temperature(seed);
  return (ts) =>
    clamp(55 - 2.5 * (warmth(ts) - 21) + 4 * drift(seed + 2, ts, 8 * HOUR) + 0.4 * jitter(seed + 2, ts), 0, 100);
};

const pressure = (seed: number): Signal => {
  return (ts) =>
    1_013 + 12 * drift(seed, ts, 2 * DAY) + 0.4 * Math.cos((4 * Math.PI * ts) / DAY) + 0.05 * jitter(seed, ts);
};

/** Discharges in 30 days, to be charged again at once; each device at another time. */
const battery = (seed: number): Signal => {
  const phase = noise(seed, 0);
  return (ts) => 100 - 95 * ((ts / (30 * DAY) + phase) % 1);
};

const illuminance = (seed: number): Signal => {
  return (ts) => 800 * daylight(ts) * (0.75 + 0.25 * drift(seed, ts, HOUR / 4)) + 2 + jitter(seed, ts);
};

/** A machine that runs about half of the time, in shifts of ten minutes. */
const vibration = (seed: number): Signal => {
  return (ts) => (noise(seed, Math.floor(ts / (HOUR / 6))) < 0.5 ? 0.05 : 2.4) * (1 + 0.3 * jitter(seed, ts));
};

const wander = (seed: number): Signal => {
  return (ts) =>
    50 + 30 * drift(seed, ts, HOUR) + 12 * drift(seed + 2, ts, HOUR / 12) + 3 * drift(seed + 4, ts, 20_000);
};

const KINDS: Record<string, SensorKind> = {
  temperature: { unit: '°C', signal: temperature },
  humidity: { unit: '%', signal: humidity },
  pressure: { unit: 'hPa', signal: pressure },
  battery: { unit: '%', signal: battery },
  illuminance: { unit: 'lx', signal: illuminance },
  vibration: { unit: 'mm/s', signal: vibration },
};

/** The kinds with a behaviour of their own; every other sensor wanders between 0 and 100. */
export const KNOWN_KINDS = Object.keys(KINDS);

/** A sensor of one simulated device. */
export interface SimulatedSensor {
  read(ts: number): ReadingInput;
}

/**
 * A sensor `name` (sent under `sentAs`) of the device with this seed; sensors of one device share its seed, so that they agree
 * with each other. Values have three decimals at most.
 */
export function createSensor(
  name: string,
  options: { sentAs: string; seed: number; location?: string },
): SimulatedSensor {
  const { sentAs, seed, location } = options;
  const kind = (Object.hasOwn(KINDS, name) ? KINDS[name] : undefined) ?? { signal: wander };
  const signal = kind.signal(seed);
  const fixed = { sensor: sentAs, ...(kind.unit ? { unit: kind.unit } : {}), ...(location ? { location } : {}) };
  return { read: (ts) => ({ ...fixed, value: Math.round(signal(ts) * 1_000) / 1_000, ts }) };
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
