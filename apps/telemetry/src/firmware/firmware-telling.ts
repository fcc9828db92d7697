import { Inject, Injectable } from '@nestjs/common';
import { Attributes } from '../attributes/attributes.service.ts';
import { DeviceEvents } from '../live/device-events.ts';
import type { Assigned, Assignment } from './device-firmware-store.ts';
import { firmwareView } from './firmware-view.ts';
import { RolloutProgress } from './rollout-progress.ts';

/** Tells devices, viewers and rollouts of what was committed about devices' packages. */
@Injectable()
export class FirmwareTelling {
  constructor(
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(DeviceEvents) private readonly live: DeviceEvents,
    @Inject(RolloutProgress) private readonly progress: RolloutProgress,
  ) {}

  /** A device is to have another package, or none. */
  assigned({ deviceId, view, written, leftRollout }: Assignment): void {
    this.attributes.told(deviceId, written);
    if (view) this.live.tell(deviceId, { event: 'firmware', data: view });
    if (view?.rollout) this.progress.touch(view.rollout);
    if (leftRollout !== null) this.progress.touch(leftRollout);
  }

  /** A device has come further. */
  stepped(assigned: Assigned): void {
    this.live.tell(assigned.row.deviceId, { event: 'firmware', data: firmwareView(assigned) });
    const { rolloutId, state } = assigned.row;
    if (rolloutId === null) return;
    if (state === 'failed') this.progress.touchNow(rolloutId);
    else this.progress.touch(rolloutId);
  }
}
