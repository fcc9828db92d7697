import { Inject, Injectable } from '@nestjs/common';
import { LinkMessage, linkSubject } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import type { DeviceLink, Topic } from './device-link.ts';

/** What happens to the links of this replica. */
export interface LinkListener {
  opened?: (link: DeviceLink) => void;
  /** `reason` in words. */
  closed?: (link: DeviceLink, reason: string) => void;
  /** From now on the device takes commands, or attributes, over this link: what waits for it can go. */
  ready?: (link: DeviceLink, topic: Topic) => void;
  /** Another replica, or this one, has something for the device. */
  message?: (link: DeviceLink, message: LinkMessage) => void;
}

interface Linked {
  /** The newest is last: the platform speaks over it. */
  links: DeviceLink[];
  ready: Map<DeviceLink, Set<Topic>>;
  unsubscribe: Unsubscribe;
}

/**
 * The devices that are linked to this replica. A device has one link of a kind: a new one ends the one before it, on whatever replica
 * that is; of links of several kinds the platform speaks over the newest that takes what it has to say.
 */
@Injectable()
export class DeviceLinks {
  private readonly linked = new Map<string, Linked>();
  private readonly listeners = new Set<LinkListener>();

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  get count(): number {
    return this.linked.size;
  }

  listen(listener: LinkListener): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Every link of this replica. */
  *all(): Iterable<DeviceLink> {
    for (const { links } of this.linked.values()) yield* links;
  }

  /** The link over which this replica can tell the device something of the kind. */
  of(deviceId: string, topic: Topic): DeviceLink | undefined {
    const linked = this.linked.get(deviceId);
    return linked?.links.findLast((link) => linked.ready.get(link)?.has(topic));
  }

  /** The link that the device is connected by to this replica. */
  newest(deviceId: string): DeviceLink | undefined {
    return this.linked.get(deviceId)?.links.at(-1);
  }

  /** The link is there. Takes over from older ones of its kind. */
  open(link: DeviceLink): void {
    const linked = this.linked.get(link.device.id) ?? this.listenFor(link.device.id);
    linked.links.push(link);
    for (const { opened } of this.listeners) opened?.(link);
    this.tell(link.device.id, { type: 'opened', link: link.id, via: link.via });
  }

  /** The device takes commands, or attributes, over this link from now on. */
  ready(link: DeviceLink, topic: Topic): void {
    const linked = this.linked.get(link.device.id);
    if (!linked?.links.includes(link)) return;
    const topics = linked.ready.get(link) ?? new Set();
    if (topics.has(topic)) return;
    linked.ready.set(link, topics.add(topic));
    for (const { ready } of this.listeners) ready?.(link, topic);
  }

  /** The device no longer takes them over this link. */
  notReady(link: DeviceLink, topic: Topic): void {
    this.linked.get(link.device.id)?.ready.get(link)?.delete(topic);
  }

  /** The link has ended. `reason` in words. */
  close(link: DeviceLink, reason: string): void {
    const linked = this.linked.get(link.device.id);
    if (!linked?.links.includes(link)) return;
    linked.links = linked.links.filter((other) => other !== link);
    linked.ready.delete(link);
    if (linked.links.length === 0) {
      linked.unsubscribe();
      this.linked.delete(link.device.id);
    }
    for (const { closed } of this.listeners) closed?.(link, reason);
  }

  /** Says something to whichever replicas the device is linked to; whoever does not hear it finds it when the device connects. */
  tell(deviceId: string, message: LinkMessage): void {
    const subject = linkSubject(deviceId);
    if (this.bus.reaches(subject)) this.bus.publish(subject, JSON.stringify(message));
  }

  private listenFor(deviceId: string): Linked {
    const linked: Linked = {
      links: [],
      ready: new Map(),
      unsubscribe: this.bus.subscribe(linkSubject(deviceId), (text) => {
        this.hear(linked, LinkMessage.parse(JSON.parse(text)));
      }),
    };
    this.linked.set(deviceId, linked);
    return linked;
  }

  private hear(linked: Linked, message: LinkMessage): void {
    if (message.type === 'opened') takeOver(linked, message);
    const newest = linked.links.at(-1);
    if (newest) for (const { message: hear } of this.listeners) hear?.(newest, message);
  }
}

/** Links that are made within this time of each other are in the order of their ids, in ms; an older one gives way whatever its id. */
const AT_ONCE_MS = 10_000;

/**
 * Older MQTT links give way, and nothing more is said over them; sockets and requests of one device go on beside each other. Ids are of
 * version 7, so the greater one is the newer; but the clock of another replica may be wrong, so only of two links that are made at about
 * the same time, each of which hears of the other, do they decide which one stays.
 */
function takeOver({ links, ready }: Linked, { link: id, via }: Extract<LinkMessage, { type: 'opened' }>): void {
  if (via !== 'mqtt') return;
  const givesWay = (link: DeviceLink): boolean => link.id < id || Date.now() - madeAt(link) > AT_ONCE_MS;
  for (const older of links.filter((link) => link.via === via && link.id !== id && givesWay(link))) {
    ready.delete(older);
    older.close({ code: 'TAKEN_OVER', message: 'The device has connected anew: its older connection ends.' });
  }
}

/** When a link of this replica was made, by its own clock (RFC 9562 section 5.7). */
const madeAt = ({ id }: DeviceLink): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
