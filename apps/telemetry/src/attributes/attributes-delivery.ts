import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import type { AttributesUpdate, DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { AttributeStore } from './attribute-store.ts';

/** How long devices that connect are gathered before it is looked what waits for them, in ms. */
const GATHER_MS = 20;
/** Devices that are looked at together. */
const TOGETHER = 500;
/** How often all linked devices are looked at, in case a word on a change was lost or an update could not be sent, in ms. */
const LOOK_AGAIN_MS = 30_000;
/** How long a device may take to say that it has an update, in ms. */
const PATIENCE_MS = 30_000;

/** What goes on for one device. */
interface Delivery {
  /** Something has happened meanwhile: there may be more to tell. */
  again: boolean;
  /** Over which it is told something just now. */
  link: DeviceLink | undefined;
  /** Ends the wait for a link that a newer one has replaced. */
  superseded: AbortController;
}

/**
 * Tells devices of their shared attributes, write by write, over the links of this replica. What there is to tell is what the database
 * has and the device does not, so what a device missed comes when it connects.
 */
@Injectable()
export class AttributesDelivery implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly deliveries = new Map<string, Delivery>();
  private readonly toLookAt = new Set<string>();
  private gathering: NodeJS.Timeout | undefined;
  private lookingAgain: NodeJS.Timeout | undefined;
  private unlisten: Unsubscribe = () => undefined;
  private isStopping = false;
  private delivered: (deviceId: string, update: AttributesUpdate) => void = () => undefined;

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(AttributeStore) private readonly store: AttributeStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.unlisten = this.links.listen({
      ready: (link, topic) => {
        if (topic !== 'attributes') return;
        const delivery = this.deliveries.get(link.device.id);
        if (delivery && delivery.link !== link) delivery.superseded.abort();
        this.lookSoon(link.device.id);
      },
      message: ({ device }, { type }) => {
        if (type === 'attributes') void this.deliver(device.id);
      },
    });
    this.bus.onReconnect(() => {
      this.lookAtAll();
    });
    this.lookingAgain = setInterval(() => {
      this.lookAtAll();
    }, LOOK_AGAIN_MS).unref();
  }

  beforeApplicationShutdown(): void {
    this.isStopping = true;
    this.unlisten();
    clearInterval(this.lookingAgain);
    clearTimeout(this.gathering);
    for (const { superseded } of this.deliveries.values()) superseded.abort();
  }

  /** Calls back with every update that a device has. */
  onDelivered(hear: (deviceId: string, update: AttributesUpdate) => void): void {
    this.delivered = hear;
  }

  /** Tells a device everything that it does not have, if it is linked here; returns once it has it or cannot be told. */
  async deliver(deviceId: string): Promise<void> {
    const underWay = this.deliveries.get(deviceId);
    if (underWay) {
      underWay.again = true;
      return;
    }
    const delivery: Delivery = { again: true, link: undefined, superseded: new AbortController() };
    this.deliveries.set(deviceId, delivery);
    try {
      while (delivery.again && !this.isStopping) {
        delivery.again = false;
        await this.tellAll(deviceId, delivery);
      }
    } catch (error) {
      if (!this.isStopping) this.log.warn({ err: error, deviceId }, 'attributes wait for a device');
    } finally {
      this.deliveries.delete(deviceId);
    }
  }

  private async tellAll(deviceId: string, delivery: Delivery): Promise<void> {
    while (!this.isStopping) {
      const link = this.links.of(deviceId, 'attributes');
      const update = link && (await this.store.nextUpdate(deviceId));
      if (!update) return;
      if (await this.tell(link, update, delivery)) {
        await this.store.delivered(deviceId, update.version);
        this.delivered(deviceId, update);
        if (update.deleted.length > 0) await this.store.sweep(deviceId);
      }
    }
  }

  /** False if the link was lost or replaced before the device had the update. Throws if the device will not take it. */
  private async tell(link: DeviceLink, update: AttributesUpdate, delivery: Delivery): Promise<boolean> {
    delivery.link = link;
    delivery.superseded = new AbortController();
    try {
      await acknowledged(link, update, delivery.superseded.signal);
      return true;
    } catch (error) {
      if (this.links.of(link.device.id, 'attributes') === link && !this.isStopping) throw error;
      return false;
    }
  }

  private lookAtAll(): void {
    for (const { device } of this.links.all()) this.lookSoon(device.id);
  }

  private lookSoon(deviceId: string): void {
    this.toLookAt.add(deviceId);
    this.gathering ??= setTimeout(() => {
      void this.look().finally(() => {
        this.gathering = undefined;
        const [waiting] = this.toLookAt;
        if (waiting !== undefined && !this.isStopping) this.lookSoon(waiting);
      });
    }, GATHER_MS);
  }

  /** Many devices connect at once after a replica is gone: what waits for them is asked for together. */
  private async look(): Promise<void> {
    const ids = [...this.toLookAt].slice(0, TOGETHER);
    for (const id of ids) this.toLookAt.delete(id);
    try {
      for (const id of await this.store.waiting(ids)) void this.deliver(id);
    } catch (error) {
      if (!this.isStopping) this.log.warn({ err: error }, 'attributes wait for the database');
    }
  }
}

/** Resolves once the device has the update; rejects when the link ends, is replaced, or the device takes too long. */
async function acknowledged(link: DeviceLink, update: AttributesUpdate, superseded: AbortSignal): Promise<void> {
  let giveUp: () => void = () => undefined;
  const given = new Promise<never>((_resolve, reject) => {
    giveUp = () => {
      reject(new Error('the device did not say in time that it has its attributes, or has connected anew'));
    };
  });
  const timer = setTimeout(giveUp, PATIENCE_MS);
  superseded.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([link.sendAttributes(update), given]);
  } finally {
    clearTimeout(timer);
    superseded.removeEventListener('abort', giveUp);
  }
}
