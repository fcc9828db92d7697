import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { rolloutSubject } from '#contracts';
import { BUS, type Bus } from '#messaging';
import { LOGGER, type Log } from '#platform';
import type { RolloutEntity } from './firmware.entity.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWaker } from './rollout-waker.ts';
import { isToStop, rolloutView, type RolloutCounts } from './rollout-view.ts';

/** Least time between two looks at a rollout, in ms. */
const EVERY_MS = 300;

/** Looks at rollouts after something has happened to them: whether they are done or to stop, and tells viewers how far they are. */
@Injectable()
export class RolloutProgress implements BeforeApplicationShutdown {
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private readonly looking = new Map<string, Promise<void>>();

  constructor(
    @Inject(RolloutStore) private readonly store: RolloutStore,
    @Inject(RolloutWaker) private readonly waker: RolloutWaker,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
    await Promise.all(this.looking.values());
  }

  /** Something has happened to a rollout: it is looked at soon, at most a few times a second. */
  touch(rolloutId: string): void {
    if (this.waiting.has(rolloutId)) return;
    const timer = setTimeout(() => {
      this.waiting.delete(rolloutId);
      this.touchNow(rolloutId);
    }, EVERY_MS);
    this.waiting.set(rolloutId, timer);
  }

  /** Something has happened that may stop a rollout. */
  touchNow(rolloutId: string): void {
    const before = this.looking.get(rolloutId);
    if (before) {
      this.touch(rolloutId);
      return;
    }
    const look = this.look(rolloutId)
      .catch((error: unknown) => {
        this.log.warn({ err: error, rolloutId }, 'how far a rollout is could not be found out');
      })
      .finally(() => this.looking.delete(rolloutId));
    this.looking.set(rolloutId, look);
  }

  /** Stops a rollout of which too much has failed, ends one that is done, and tells viewers. */
  async look(rolloutId: string): Promise<void> {
    const rollout = await this.store.find(rolloutId);
    if (!rollout) return;
    const counts = await this.store.counts(rollout);
    const now = (await this.ended(rollout, counts)) ? await this.store.find(rolloutId) : rollout;
    if (!now) return;
    const subject = rolloutSubject(rolloutId);
    if (this.bus.reaches(subject)) this.bus.publish(subject, JSON.stringify(rolloutView(now, counts)));
  }

  private async ended(rollout: RolloutEntity, counts: RolloutCounts): Promise<boolean> {
    const { id, state, toScan } = rollout;
    if (state !== 'running') return false;
    if (isToStop(rollout, counts)) {
      const ended = String(counts.failed + counts.updated);
      const message = `Stopped by itself: ${String(counts.failed)} of ${ended} devices that have ended have failed.`;
      const isStopped = await this.store.end(id, 'stopped', message);
      if (isStopped) this.waker.wake();
      return isStopped;
    }
    return !toScan && counts.ended === counts.assigned && this.store.finish(id);
  }
}
