import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { ConnectionView, DeviceRef, LinkMessage } from '#contracts';
import { Events, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, upTo, type Clock, type Log } from '#platform';
import type { DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { ConnectionStore } from './connection-store.ts';
import { connectionView } from './connection-view.ts';
import type { ConnectionEntity } from './connection.entity.ts';
import { InactivityTimes } from './inactivity-times.ts';
import type { LinkFacts, Merged, PresenceNews } from './presence-news.ts';

/** How long news wait for others to be written with them, in ms. */
const GATHER_MS = 150;
/** Devices whose news one transaction takes in. */
const MOST = 500;
/** When what could not be written is tried again, in ms. */
const AGAIN_MS = 1_000;
/** Pieces of news of one device that wait: of more, the oldest remarks are lost first, and the newest say how it is. */
const MOST_NEWS = 16;
/** Devices whose news wait while the database is away. */
const MOST_DEVICES = 100_000;
/** How often it is written that a device without a link was heard of, in ms. */
const HEARD_EVERY_MS = 10_000;
/** Refusals of one device that are kept in a minute. */
const MOST_REFUSALS = 30;
/** How long nothing is written of a device that was deleted, in ms: its links are ending. */
const FORGOTTEN_MS = 60_000;
/** Characters of what devices say that are kept. */
const KEPT_CHARS = { reason: 512, topic: 1_024, payload: 4_096, clientId: 256, protocol: 64, address: 64 } as const;

/** Which devices are connected, and how: every replica writes what it knows of its own, and tells viewers. */
@Injectable()
export class Presence implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly waiting = new Map<string, PresenceNews[]>();
  private readonly inactive = new WeakSet<DeviceLink>();
  private readonly heardAt = new LRUCache<string, number>({ ...upTo(50_000), ttl: HEARD_EVERY_MS });
  private readonly refusals = new LRUCache<string, { count: number }>({ ...upTo(10_000), ttl: 60_000 });
  private readonly forgotten = new LRUCache<string, true>({ ...upTo(10_000), ttl: FORGOTTEN_MS });
  private readonly subscriptions: Unsubscribe[] = [];
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    @Inject(ConnectionStore) private readonly store: ConnectionStore,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(DeviceEvents) private readonly live: DeviceEvents,
    @Inject(InactivityTimes) private readonly inactivity: InactivityTimes,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.push(
      this.links.listen({
        opened: (link) => {
          this.isThere(link);
        },
        closed: (link, reason) => {
          this.hasEnded(link, reason);
        },
        message: (newest, message) => {
          this.hear(newest, message);
        },
      }),
      this.events.on('registry.device.changed', ({ change, device }) => {
        if (change === 'deleted') this.forget(device.id);
      }),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const unsubscribe of this.subscriptions) unsubscribe();
    await this.flush();
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** A device has sent something without a link: it is online until it was not heard of for too long. */
  heard({ id, profileId }: DeviceRef, { address }: { via: 'http'; address: string }): void {
    if (this.heardAt.has(id)) return;
    const at = this.now();
    this.heardAt.set(id, at);
    const silentAt = at + this.inactivity.of(profileId);
    this.add(id, { kind: 'heard', at, address: address.slice(0, KEPT_CHARS.address), silentAt });
  }

  /** Something about a device's connection that is no change of it, for its history and for viewers. */
  note(
    deviceId: string,
    { kind, ...said }: { kind: 'will' | 'refused'; reason: string; topic: string | null; payload?: string },
  ): void {
    if (kind === 'refused' && this.isTooOften(deviceId)) return;
    const at = this.now();
    const reason = kept(said.reason, KEPT_CHARS.reason);
    const topic = said.topic === null ? null : kept(said.topic, KEPT_CHARS.topic);
    if (kind === 'refused') this.add(deviceId, { kind, at, reason, topic });
    else this.add(deviceId, { kind, at, reason, topic, payload: kept(said.payload ?? '', KEPT_CHARS.payload) });
    this.live.tell(deviceId, { event: 'connection', data: { kind, reason, topic, at } });
  }

  /** How a device is connected, with what this replica knows of its link. */
  async of(deviceId: string): Promise<ConnectionView | undefined> {
    const row = await this.store.find(deviceId);
    if (!row) return undefined;
    const link = this.links.newest(deviceId);
    const isIts = link !== undefined && row.online && row.linkId === link.id;
    return connectionView(isIts ? { ...row, lastSeen: laterOf(row.lastSeen, link.lastSeen) } : row);
  }

  /** The device is connected by this link, as was or was not known. One that is a request is one of many: it was heard of. */
  isThere(link: DeviceLink): void {
    this.inactive.delete(link);
    if (isRequest(link)) this.heard(link.device, link);
    else this.add(link.device.id, { kind: 'online', at: this.now(), link: factsOf(link) });
  }

  /** Every device of this replica is connected: others took the replica for dead. */
  areAllThere(): void {
    for (const { device } of this.links.all()) {
      const link = this.links.newest(device.id);
      if (link && !this.inactive.has(link)) this.isThere(link);
    }
  }

  /** Looks which links are silent for too long, or no longer, and which devices without one. */
  async lookForSilent(): Promise<void> {
    const at = this.now();
    for (const link of this.links.all()) {
      const isSilent = at - link.lastSeen > this.inactivity.of(link.device.profileId);
      if (isSilent === this.inactive.has(link)) continue;
      if (isSilent) this.isSilent(link, at);
      else this.isThere(link);
    }
    for (const deviceId of await this.store.silent(at)) this.add(deviceId, { kind: 'silent', at });
  }

  /** Connections have changed by somebody else's doing: viewers and other replicas are told. */
  tellEnded(rows: readonly ConnectionEntity[]): void {
    for (const row of rows) {
      this.live.tell(row.deviceId, { event: 'presence', data: connectionView(row) });
      if (row.linkId !== null) this.links.tell(row.deviceId, { type: 'closed', link: row.linkId });
    }
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.writeAll());
    await this.writing;
  }

  private hasEnded(link: DeviceLink, reason: string): void {
    if (isRequest(link)) {
      this.heard(link.device, link);
      return;
    }
    const at = this.now();
    const other = this.links.newest(link.device.id);
    if (other && !isRequest(other))
      this.add(link.device.id, { kind: 'online', at, link: factsOf(other), instead: link.id });
    else if (!this.inactive.has(link)) this.isOffline(link, at, reason);
  }

  private isSilent(link: DeviceLink, at: number): void {
    this.inactive.add(link);
    this.isOffline(link, at, 'inactive: nothing came over its link');
  }

  private isOffline({ id, device, lastSeen }: DeviceLink, at: number, reason: string): void {
    this.add(device.id, { kind: 'offline', at, link: id, lastSeen, reason: kept(reason, KEPT_CHARS.reason) });
  }

  /** A link of the device ended on another replica: what is still here is what it is connected by. */
  private hear(newest: DeviceLink, message: LinkMessage): void {
    if (message.type === 'closed' && message.link !== newest.id && !this.inactive.has(newest)) this.isThere(newest);
  }

  private isTooOften(deviceId: string): boolean {
    const refusals = this.refusals.get(deviceId) ?? { count: 0 };
    if (refusals.count === 0) this.refusals.set(deviceId, refusals);
    refusals.count += 1;
    return refusals.count > MOST_REFUSALS;
  }

  private forget(deviceId: string): void {
    this.forgotten.set(deviceId, true);
    this.waiting.delete(deviceId);
    this.writing = this.writing
      .then(() => this.store.forget(deviceId))
      .catch((error: unknown) => {
        this.log.warn({ err: error, device: deviceId }, "a deleted device's connection could not be deleted");
      });
  }

  private add(deviceId: string, news: PresenceNews): void {
    if (this.stopped || this.forgotten.has(deviceId)) return;
    const waiting = this.waiting.get(deviceId) ?? [];
    if (waiting.length === 0 && this.waiting.size >= MOST_DEVICES) return;
    waiting.push(news);
    this.waiting.set(deviceId, bounded(waiting));
    this.writeIn(GATHER_MS);
  }

  private writeIn(ms: number): void {
    if (this.stopped) return;
    this.timer ??= setTimeout(() => {
      void this.flush();
    }, ms);
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const some = [...this.waiting].slice(0, MOST);
      for (const [deviceId] of some) this.waiting.delete(deviceId);
      try {
        this.tell(some, await this.store.takeIn(some.map(([deviceId, news]) => ({ deviceId, news }))));
      } catch (error) {
        this.log.debug({ err: error, devices: this.waiting.size }, 'connections cannot be written just now');
        for (const [deviceId, news] of some) this.putBack(deviceId, news);
        this.writeIn(AGAIN_MS);
        return;
      }
    }
  }

  private putBack(deviceId: string, news: readonly PresenceNews[]): void {
    if (this.forgotten.has(deviceId)) return;
    this.waiting.set(deviceId, bounded([...news, ...(this.waiting.get(deviceId) ?? [])]));
  }

  private tell(news: readonly (readonly [string, readonly PresenceNews[]])[], merged: readonly Merged[]): void {
    for (const { row, isTold } of merged) {
      if (isTold) this.live.tell(row.deviceId, { event: 'presence', data: connectionView(row) });
    }
    for (const [deviceId, ofDevice] of news) {
      const ended = ofDevice.findLast((one) => one.kind === 'offline');
      if (ended) this.links.tell(deviceId, { type: 'closed', link: ended.link });
    }
  }
}

function bounded(news: PresenceNews[]): PresenceNews[] {
  while (news.length > MOST_NEWS) {
    const remark = news.findIndex(({ kind }) => kind === 'refused' || kind === 'will');
    news.splice(Math.max(0, remark), 1);
  }
  return news;
}

const kept = (text: string, chars: number): string => text.slice(0, chars).toWellFormed();

const laterOf = (known: Date | null, time: number): Date => new Date(Math.max(known?.getTime() ?? 0, time));

const factsOf = ({ id, via, address, protocol, clientId, lastSeen }: DeviceLink): LinkFacts => ({
  id,
  via,
  address: kept(address, KEPT_CHARS.address),
  protocol: kept(protocol, KEPT_CHARS.protocol),
  clientId: clientId === null ? null : kept(clientId, KEPT_CHARS.clientId),
  lastSeen,
});

/** A request that waits for something to tell the device ends with the first thing that it is told, and the device makes another one. */
const isRequest = (link: DeviceLink): link is DeviceLink & { via: 'http' } => link.via === 'http';
