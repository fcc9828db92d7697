import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Events, type Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import { RolloutProgress } from './rollout-progress.ts';

/** Forgets the packages of devices that are deleted. */
@Injectable()
export class DeletedDevices implements OnApplicationBootstrap, OnApplicationShutdown {
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(
    @Inject(Events) private readonly events: Events,
    @Inject(DeviceFirmwareStore) private readonly store: DeviceFirmwareStore,
    @Inject(RolloutProgress) private readonly progress: RolloutProgress,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'deleted') void this.forget(device.id);
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  private async forget(deviceId: string): Promise<void> {
    try {
      for (const rollout of await this.store.forget(deviceId)) this.progress.touch(rollout);
    } catch (error) {
      this.log.warn({ err: error, deviceId }, 'the packages of a deleted device stay for now');
    }
  }
}
