import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type Page, type RolloutView, type UserPrincipal } from '#contracts';
import { RpcClient } from '#messaging';
import { CLOCK, invalidInput, uuid7, type Clock } from '#platform';
import type { RolloutEntity } from './firmware.entity.ts';
import type { RolloutBody, RolloutQuery } from './firmware.schemas.ts';
import { customerOf, Packages } from './packages.service.ts';
import { RolloutProgress } from './rollout-progress.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';
import { NO_DEVICES, rolloutView } from './rollout-view.ts';

/** Rollouts, as administrators and operators see them: operators those of their customer, to its devices. */
@Injectable()
export class Rollouts {
  constructor(
    @Inject(RolloutStore) private readonly store: RolloutStore,
    @Inject(Packages) private readonly packages: Packages,
    @Inject(RolloutProgress) private readonly progress: RolloutProgress,
    @Inject(RolloutWaker) private readonly waker: RolloutWaker,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** Throws `NOT_FOUND` for a package that the caller may not use, `INVALID_INPUT` for a profile that is not there. */
  async start(caller: UserPrincipal, body: RolloutBody): Promise<RolloutView> {
    const callersCustomer = customerOf(caller);
    const { id: packageId, kind, customerId: packagesCustomer } = await this.packages.get(caller, body.package);
    if ((await this.rpc.call('registry.profiles.get', { id: body.profile })) === null) {
      throw invalidInput('/profile', 'there is no such device profile');
    }
    const now = this.now();
    const rollout: RolloutEntity = {
      id: uuid7(now),
      packageId,
      kind,
      profileId: body.profile,
      customerId: callersCustomer ?? packagesCustomer,
      percent: body.percent,
      stopPercent: body.stopPercent,
      stopAfter: body.stopAfter,
      state: 'running',
      message: null,
      scannedTo: null,
      toScan: true,
      toWithdraw: false,
      leftUpdated: 0,
      leftFailed: 0,
      leftOther: 0,
      leaseHolder: null,
      leaseUntil: null,
      createdBy: caller.userId,
      createdAt: new Date(now),
      finishedAt: null,
    };
    await this.store.insert(rollout);
    this.waker.wake();
    return this.viewOf(rollout);
  }

  async list(caller: UserPrincipal, query: RolloutQuery): Promise<Page<RolloutView>> {
    const { items, nextCursor } = await this.store.page(caller, query);
    const counts = await this.store.countsOfAll(items);
    return { items: items.map((rollout, index) => rolloutView(rollout, counts[index] ?? NO_DEVICES)), nextCursor };
  }

  /** Throws `NOT_FOUND`. */
  async get(caller: UserPrincipal, id: string): Promise<RolloutView> {
    return this.viewOf(await this.visible(caller, id));
  }

  /** Throws `NOT_FOUND`, `ROLLOUT_ENDED`, `CONFLICT` for a smaller share. */
  async raise(caller: UserPrincipal, id: string, percent: number): Promise<RolloutView> {
    await this.visible(caller, id);
    const rollout = await this.store.raise(id, percent);
    this.waker.wake();
    this.progress.touch(id);
    return this.viewOf(rollout);
  }

  /** Devices that have not begun lose the package. Throws `NOT_FOUND`, `ROLLOUT_ENDED`. */
  async cancel(caller: UserPrincipal, id: string): Promise<RolloutView> {
    const { state } = await this.visible(caller, id);
    if (!(await this.store.end(id, 'cancelled', `Cancelled by user ${caller.userId}.`))) {
      throw new CodedError('ROLLOUT_ENDED', `Rollout ${id} has ended before: it was ${state}.`);
    }
    this.waker.wake();
    this.progress.touch(id);
    return this.viewOf(await this.visible(caller, id));
  }

  private async visible(caller: UserPrincipal, id: string): Promise<RolloutEntity> {
    const rollout = await this.store.find(id);
    const isVisible = rollout && (caller.role === 'admin' || rollout.customerId === customerOf(caller));
    if (isVisible) return rollout;
    throw new CodedError('NOT_FOUND', `There is no rollout ${id} among those that you may see.`);
  }

  private async viewOf(rollout: RolloutEntity): Promise<RolloutView> {
    return rolloutView(rollout, await this.store.counts(rollout));
  }
}
