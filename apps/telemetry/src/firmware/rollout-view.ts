import { createHash } from 'node:crypto';
import type { RolloutView } from '#contracts';
import type { DeviceFirmwareState, RolloutEntity } from './firmware.entity.ts';

/** Devices of a rollout. */
export type RolloutCounts = Pick<RolloutView, 'assigned' | 'inProgress' | 'updated' | 'failed'> & {
  /** Devices that have it, or were given something else since, and are not on their way any more. */
  ended: number;
};

export const NO_DEVICES: RolloutCounts = { assigned: 0, inProgress: 0, updated: 0, failed: 0, ended: 0 };

/** Counts of a rollout: devices that have its package by state, and those that were given another one since. */
export function countsOf(
  { leftUpdated, leftFailed, leftOther }: Pick<RolloutEntity, 'leftUpdated' | 'leftFailed' | 'leftOther'>,
  byState: ReadonlyMap<DeviceFirmwareState, number>,
): RolloutCounts {
  const of = (...states: DeviceFirmwareState[]) => states.reduce((sum, state) => sum + (byState.get(state) ?? 0), 0);
  const present = [...byState.values()].reduce((sum, count) => sum + count, 0);
  const updated = of('updated') + leftUpdated;
  const failed = of('failed') + leftFailed;
  return {
    assigned: present + leftUpdated + leftFailed + leftOther,
    inProgress: of('downloading', 'downloaded', 'verified', 'updating'),
    updated,
    failed,
    ended: updated + failed + leftOther,
  };
}

/** Has so much failed that a rollout stops? */
export const isToStop = (
  { stopPercent, stopAfter }: Pick<RolloutEntity, 'stopPercent' | 'stopAfter'>,
  { failed, updated }: Pick<RolloutCounts, 'failed' | 'updated'>,
): boolean => failed >= stopAfter && failed * 100 >= stopPercent * (failed + updated);

export const rolloutView = (rollout: RolloutEntity, counts: RolloutCounts): RolloutView => ({
  id: rollout.id,
  package: rollout.packageId,
  profile: rollout.profileId,
  percent: rollout.percent,
  stopPercent: rollout.stopPercent,
  stopAfter: rollout.stopAfter,
  state: rollout.state,
  assigned: counts.assigned,
  inProgress: counts.inProgress,
  updated: counts.updated,
  failed: counts.failed,
  message: rollout.message,
  createdAt: rollout.createdAt.getTime(),
  finishedAt: rollout.finishedAt?.getTime() ?? null,
});

/** Where a device stands in the order in which a package is given out, 0 to below 100: a larger share takes in all of a smaller one. */
export const placeOf = (packageId: string, deviceId: string): number =>
  (createHash('sha256').update(`${packageId} ${deviceId}`).digest().readUInt32BE(0) / 2 ** 32) * 100;
