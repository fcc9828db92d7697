import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { DeviceRef } from '#contracts';
import { Events, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { DeviceLinks } from '../link/device-links.ts';
import { DeviceFirmwareStore, isOlder } from './device-firmware-store.ts';
import type { RolloutEntity } from './firmware.entity.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { isChosen, RolloutQueue } from './rollout-queue.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';

/** How long devices that connect are gathered before they are looked at, in ms. */
const GATHER_MS = 50;
/** Devices that are looked at together. */
const TOGETHER = 500;
/** How long rollouts are known before they are read anew, in ms. */
const KNOWN_MS = 10_000;

/** Takes devices in that connect, are made or get another profile while a rollout to their profile goes on. */
@Injectable()
export class RolloutNewcomers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly waiting = new Map<string, DeviceRef>();
  private readonly subscriptions: Unsubscribe[] = [];
  private gathering: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private known: { rollouts: readonly RolloutEntity[]; until: number } = { rollouts: [], until: 0 };

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(Events) private readonly events: Events,
    @Inject(RolloutWaker) private readonly waker: RolloutWaker,
    @Inject(RolloutStore) private readonly store: RolloutStore,
    @Inject(RolloutQueue) private readonly queue: RolloutQueue,
    @Inject(DeviceFirmwareStore) private readonly devices: DeviceFirmwareStore,
    @Inject(FirmwareTelling) private readonly telling: FirmwareTelling,
    @Inject(LOGGER) private readonly log: Log,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.push(
      this.links.listen({
        ready: ({ device }, topic) => {
          if (topic === 'attributes') this.consider(device);
        },
      }),
      this.events.on('registry.device.changed', ({ change, device }) => {
        if (change !== 'deleted') this.consider(device);
      }),
      this.waker.listen(() => {
        this.known.until = 0;
      }),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const unsubscribe of this.subscriptions) unsubscribe();
    clearTimeout(this.gathering);
    this.waiting.clear();
    await this.looking;
  }

  private consider(device: DeviceRef): void {
    if (device.profileId === null) return;
    this.waiting.set(device.id, device);
    this.gathering ??= setTimeout(() => {
      this.looking = this.look().finally(() => {
        this.gathering = undefined;
        const [next] = this.waiting.values();
        if (next) this.consider(next);
      });
    }, GATHER_MS);
  }

  private async look(): Promise<void> {
    const devices = [...this.waiting.values()].slice(0, TOGETHER);
    for (const { id } of devices) this.waiting.delete(id);
    try {
      for (const [rollout, chosen] of byRollout(await this.rollouts(), devices)) await this.takeIn(rollout, chosen);
    } catch (error) {
      this.log.warn({ err: error }, 'devices could not be taken into rollouts; trying again when they connect');
    }
  }

  private async takeIn(rollout: RolloutEntity, devices: readonly DeviceRef[]): Promise<void> {
    const ids = devices.map(({ id }) => id);
    const rows = await this.devices.rowsOf(ids, rollout.kind);
    const without = devices.filter(({ id }) => {
      const row = rows.get(id);
      return !row || isOlder(row, rollout);
    });
    for (const assignment of await this.queue.assign(rollout, without)) this.telling.assigned(assignment);
  }

  private async rollouts(): Promise<readonly RolloutEntity[]> {
    if (this.now() >= this.known.until) {
      this.known.until = this.now() + KNOWN_MS;
      this.known.rollouts = await this.store.live();
    }
    return this.known.rollouts;
  }
}

/** The newest rollout of each kind that a device is in, with all its devices. */
function byRollout(
  newestFirst: readonly RolloutEntity[],
  devices: readonly DeviceRef[],
): Map<RolloutEntity, DeviceRef[]> {
  const chosen = new Map<RolloutEntity, DeviceRef[]>();
  for (const device of devices) {
    for (const kind of ['firmware', 'software'] as const) {
      const rollout = newestFirst.find((candidate) => candidate.kind === kind && isChosen(device, candidate));
      if (rollout) chosen.set(rollout, [...(chosen.get(rollout) ?? []), device]);
    }
  }
  return chosen;
}
