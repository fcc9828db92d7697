import type { DeviceFirmwareState, PackageKind } from './firmware.entity.ts';

/** What a device says of its firmware or software. */
export interface FirmwareReport {
  kind: PackageKind;
  /** Only those states that a device can be in. */
  state: DeviceFirmwareState | undefined;
  error: string | null;
  /** What runs on it now. */
  current: { title: string; version: string } | undefined;
}

/** A step to a state. */
export interface FirmwareStep {
  state: DeviceFirmwareState;
  error: string | null;
}

/** Characters of an error that are kept. */
const ERROR_CHARS = 1_024;

/** The states that devices report, as ThingsBoard's device API names them; others, such as IDLE, say nothing of an update. */
const REPORTED = new Map<string, DeviceFirmwareState>([
  ['DOWNLOADING', 'downloading'],
  ['DOWNLOADED', 'downloaded'],
  ['VERIFIED', 'verified'],
  ['UPDATING', 'updating'],
  ['UPDATED', 'updated'],
  ['FAILED', 'failed'],
]);

const PREFIXES = [
  ['firmware', 'fw'],
  ['software', 'sw'],
] as const;

/** What telemetry says of a device's firmware and software: keys fw_state, fw_error, current_fw_title, current_fw_version, and sw. */
export function reportsIn(values: Readonly<Record<string, unknown>>): FirmwareReport[] {
  return PREFIXES.flatMap(([kind, prefix]): FirmwareReport[] => {
    const [title, version] = [values[`current_${prefix}_title`], values[`current_${prefix}_version`]];
    const current = isText(title) && isText(version) ? { title: String(title), version: String(version) } : undefined;
    const state = stateOf(values[`${prefix}_state`]);
    if (state === undefined && current === undefined) return [];
    return [{ kind, state, error: errorText(values[`${prefix}_error`]), current }];
  });
}

/** The state of that name, in any case; undefined for one that is no step of an update. */
export const stateOf = (name: unknown): DeviceFirmwareState | undefined =>
  typeof name === 'string' ? REPORTED.get(name.toUpperCase()) : undefined;

/** An error as it is kept; null for none. */
export const errorText = (error: unknown): string | null =>
  typeof error === 'string' && error !== '' ? error.toWellFormed().slice(0, ERROR_CHARS).toWellFormed() : null;

/**
 * The step that a report means for a device that is to have this package; undefined for none. It has it when it says that this is what
 * runs on it, whatever its state is called; "updated" with something else running is about an earlier package.
 */
export function stepOf(
  { state, error, current }: FirmwareReport,
  assigned: { title: string; version: string },
): FirmwareStep | undefined {
  const hasIt = current?.title === assigned.title && current.version === assigned.version;
  if (state === 'failed') return { state, error };
  if (hasIt) return { state: 'updated', error: null };
  if (state === undefined || (state === 'updated' && current)) return undefined;
  return { state, error: null };
}

/** Texts, and numbers that a device writes in place of them. */
const isText = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';

/** The order of an update. */
const ORDER: readonly DeviceFirmwareState[] = [
  'queued',
  'initiated',
  'downloading',
  'downloaded',
  'verified',
  'updating',
  'updated',
];

/** States in which a device has not begun: it can still be spared the package. */
export const NOT_BEGUN: readonly DeviceFirmwareState[] = ['queued', 'initiated'];

/**
 * The states from which a device can come to another: only forward, but what failed may begin again, or turn out to have worked;
 * what is updated stays so.
 */
export function statesBefore(state: DeviceFirmwareState): DeviceFirmwareState[] {
  if (state === 'failed') return ORDER.filter((before) => before !== 'updated');
  const before = ORDER.slice(0, ORDER.indexOf(state));
  return state === 'downloading' || state === 'updated' ? [...before, 'failed'] : before;
}
