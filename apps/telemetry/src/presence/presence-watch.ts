import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import type { DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';
import { Beats } from './beats.ts';
import { ConnectionStore } from './connection-store.ts';
import { Presence } from './presence.service.ts';

/** Injection symbol of how long the history of connections is kept, in ms. */
export const PRESENCE_HISTORY_MS = Symbol('PRESENCE_HISTORY_MS');

/** How often a replica raises its beat and looks at those of others, in ms. */
const BEAT_MS = 4_000;
/** How often it is written when devices were last heard of, and looked for those that are silent, in ms. */
const SEEN_MS = 10_000;
const PRUNE_MS = 600_000;

/** Keeps presence true: replicas that die, links that are silent, times that go on. */
@Injectable()
export class PresenceWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly beats = new Beats();
  private readonly written = new WeakMap<DeviceLink, number>();
  private readonly working = new Set<Promise<void>>();
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    @Inject(ConnectionStore) private readonly store: ConnectionStore,
    @Inject(Presence) private readonly presence: Presence,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(Replica) private readonly replica: Replica,
    @Inject(PRESENCE_HISTORY_MS) private readonly historyMs: number,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    void this.quietly(() => this.beat());
    this.every(BEAT_MS, () => this.beat());
    this.every(SEEN_MS, () => this.writeSeen());
    this.every(SEEN_MS, () => this.presence.lookForSilent());
    this.every(PRUNE_MS, () => this.store.prune(this.now() - this.historyMs));
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.working);
    await this.quietly(() => this.leave());
  }

  /** Raises the beat, and looks who is dead; `clock` is one that is never set, in ms. */
  async beat(clock: number = performance.now()): Promise<void> {
    if (!(await this.store.beat())) this.presence.areAllThere();
    const others = (await this.store.replicas()).filter(({ id }) => id !== this.replica.id);
    for (const dead of this.beats.look(others, clock)) {
      const ended = await this.store.bury(dead, this.now(), 'the replica that held its link is gone');
      this.log.warn({ replica: dead.name, devices: ended.length }, 'a replica is gone: its devices are offline');
      this.presence.tellEnded(ended);
    }
  }

  /** Writes when devices were last heard of, where that has changed. */
  async writeSeen(): Promise<void> {
    const changed = new Map<string, { deviceId: string; lastSeen: number; link: DeviceLink }>();
    for (const link of this.links.all()) {
      const { lastSeen } = link;
      if (lastSeen <= (this.written.get(link) ?? 0)) continue;
      const known = changed.get(link.device.id)?.lastSeen ?? 0;
      if (lastSeen > known) changed.set(link.device.id, { deviceId: link.device.id, lastSeen, link });
    }
    await this.store.seen([...changed.values()]);
    for (const { link, lastSeen } of changed.values()) this.written.set(link, lastSeen);
  }

  private async leave(): Promise<void> {
    await this.presence.flush();
    this.presence.tellEnded(await this.store.leave(this.now(), 'its replica was stopped'));
  }

  /** Each kind of work waits for itself alone: a beat is not to come late because old rows are being deleted. */
  private every(ms: number, work: () => Promise<void>): void {
    let isWorking = false;
    const start = (): void => {
      if (isWorking) return;
      isWorking = true;
      const working = this.quietly(work).finally(() => {
        isWorking = false;
        this.working.delete(working);
      });
      this.working.add(working);
    };
    this.timers.push(setInterval(start, ms));
  }

  private async quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.log.debug({ err: error }, 'presence cannot be kept true just now');
    }
  }
}
