import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RpcClient, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { DeviceFirmwareStore } from './device-firmware-store.ts';
import type { RolloutEntity } from './firmware.entity.ts';
import { FirmwareTelling } from './firmware-telling.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { RolloutQueue } from './rollout-queue.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';

/** How often to look for a rollout that another process has begun or left, in ms. */
const LOOK_MS = 2_000;
/** How often rollouts that go on are looked at, in case a process has died before it could stop or end one, in ms. */
const LOOK_AGAIN_MS = 10_000;
/** How long one rollout is worked on while others wait, in ms. */
const TURN_MS = 2_000;
/** How often it is said meanwhile that it is still worked on, in ms. */
const RENEW_MS = 5_000;
/** Devices of a profile that are asked for together. */
const PAGE = 200;
/** Pause while the registry or the database is away, in ms. */
const PAUSE_MS = 2_000;

/** Gives packages to the devices of profiles, and takes them back; every replica that writes has one. */
@Injectable()
export class RolloutWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private working: Promise<void> = Promise.resolve();
  private unlisten: Unsubscribe = () => undefined;
  private isWoken = false;
  private wakeUp: () => void = () => undefined;
  private lookedAt = 0;

  constructor(
    @Inject(RolloutQueue) private readonly queue: RolloutQueue,
    @Inject(RolloutStore) private readonly store: RolloutStore,
    @Inject(DeviceFirmwareStore) private readonly devices: DeviceFirmwareStore,
    @Inject(RolloutProgress) private readonly progress: RolloutProgress,
    @Inject(FirmwareTelling) private readonly telling: FirmwareTelling,
    @Inject(RolloutWaker) private readonly waker: RolloutWaker,
    @Inject(RpcClient) private readonly rpc: Pick<RpcClient, 'call'>,
    @Inject(LOGGER) private readonly log: Log,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.unlisten = this.waker.listen(() => {
      this.wake();
    });
    this.working = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    this.wake();
    await this.working;
  }

  private wake(): void {
    this.isWoken = true;
    this.wakeUp();
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      try {
        this.isWoken = false;
        const rollout = await this.queue.take();
        if (rollout) await this.hold(rollout);
        else {
          await this.lookAtAll();
          await this.rest();
        }
      } catch (error) {
        this.log.warn({ err: error }, 'rollouts pause');
        await sleep(PAUSE_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** One turn of a rollout. */
  private async hold(rollout: RolloutEntity): Promise<void> {
    const renewing = setInterval(() => {
      this.queue.renew(rollout.id).catch(() => undefined);
    }, RENEW_MS).unref();
    try {
      const end = this.now() + TURN_MS;
      if (rollout.toWithdraw) await this.withdraw(rollout);
      else await this.scan(rollout, end);
    } finally {
      clearInterval(renewing);
      this.progress.touch(rollout.id);
      await this.queue.release(rollout.id);
    }
  }

  /** Goes through the profile's devices from where it was left, until the turn ends. */
  private async scan(rollout: RolloutEntity, end: number): Promise<void> {
    let at = rollout;
    do {
      const { devices } = await this.rpc.call('registry.devices.ofProfile', {
        profileId: at.profileId,
        limit: PAGE,
        ...(at.scannedTo === null ? {} : { after: at.scannedTo }),
      });
      for (const assignment of await this.queue.assign(at, devices)) this.telling.assigned(assignment);
      const last = devices.at(-1);
      if (!last || devices.length < PAGE) return this.queue.allScanned(at);
      if (!(await this.queue.scanned(at, last.id))) return;
      at = { ...at, scannedTo: last.id };
    } while (!this.isStopping && this.now() < end);
  }

  private async withdraw(rollout: RolloutEntity): Promise<void> {
    while (!this.isStopping) {
      const devices = await this.store.notBegun(rollout.id);
      if (devices.length === 0) return this.queue.allWithdrawn(rollout.id);
      for (const device of devices) {
        const assignment = await this.devices.withdraw(device, rollout);
        if (assignment) this.telling.assigned(assignment);
      }
    }
  }

  private async lookAtAll(): Promise<void> {
    if (this.now() - this.lookedAt < LOOK_AGAIN_MS) return;
    this.lookedAt = this.now();
    for (const { id } of await this.store.running()) await this.progress.look(id);
  }

  /** Until somebody wakes the worker, or it is time to look again. */
  private async rest(): Promise<void> {
    if (this.isStopping || this.isWoken) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
