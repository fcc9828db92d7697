import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CommandView, LinkMessage } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, upTo, type Clock, type Log } from '#platform';
import type { DeviceLink, Topic } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';
import { CommandSteps } from './command-steps.ts';
import { CommandStore } from './command-store.ts';
import { commandView } from './command-view.ts';
import type { CommandEntity } from './command.entity.ts';
import { Grouped } from './grouped.ts';

/** Commands of one device that are claimed and sent at a time. */
const PAGE = 50;
/** Devices whose backlogs are looked for with one question. */
const MOST_DEVICES = 500;
/** When what could not be looked for is looked for again, in ms. */
const AGAIN_MS = 2_000;
/** Commands whose numbers are remembered, and for how long in ms; others are looked up. */
const REMEMBERED = { ...upTo(20_000), ttl: 300_000 };

/** Sends commands over the links of this replica: what somebody waits for at once, what is kept in order once the device takes it. */
@Injectable()
export class CommandDelivery implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly ids = new LRUCache<string, string>(REMEMBERED);
  private readonly waiting = new Grouped<string, boolean>((devices) => this.haveBacklog(devices), MOST_DEVICES);
  /** Devices whose backlog is being sent, and whether there is something new to look for. */
  private readonly draining = new Map<string, { again: boolean }>();
  /** What was sent over a link and is not known to have arrived. */
  private readonly underWay = new WeakMap<DeviceLink, Set<string>>();
  private readonly missed = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly subscriptions: Unsubscribe[] = [];

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(CommandStore) private readonly store: CommandStore,
    @Inject(CommandSteps) private readonly steps: CommandSteps,
    @Inject(Replica) private readonly replica: Replica,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.push(
      this.links.listen({
        ready: (link, topic) => {
          this.ready(link, topic);
        },
        message: (link, message) => {
          this.hear(link, message);
        },
      }),
      this.replica.listen((message) => {
        if (message.type === 'send') this.send(message.command);
      }),
    );
    this.bus.onReconnect(() => {
      for (const { device } of this.links.all()) this.drain(device.id);
    });
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const unsubscribe of this.subscriptions) unsubscribe();
  }

  /** Sends a command that somebody waits for; if the device is gone meanwhile, that is its end. */
  send(command: CommandView): void {
    const link = this.links.of(command.device, 'commands');
    if (link) void this.sendOver(link, command);
    else this.unreachable(command);
  }

  /** The device has a command. */
  delivered(deviceId: string, id: string): void {
    this.steps.note({ id, deviceId, kind: 'delivered', at: this.now() });
  }

  /** The id of a device's command of that number, if there is one. */
  async idOf(deviceId: string, number: number): Promise<string | undefined> {
    return this.ids.get(numberKey(deviceId, number)) ?? (await this.store.idOf(deviceId, number));
  }

  private ready(link: DeviceLink, topic: Topic): void {
    if (topic !== 'commands') return;
    this.underWay.delete(link);
    this.drain(link.device.id);
  }

  private hear({ device }: DeviceLink, message: LinkMessage): void {
    if (message.type === 'command') this.drain(device.id);
    if (message.type === 'command-wanted' && this.links.of(device.id, 'commands')) {
      this.replica.tell(message.asker, { type: 'offer', request: message.request, replica: this.replica.id });
    }
  }

  private async sendOver(link: DeviceLink, command: CommandView): Promise<void> {
    this.ids.set(numberKey(command.device, command.number), command.id);
    this.steps.note({ id: command.id, deviceId: command.device, kind: 'sent', link: link.id, at: this.now() });
    try {
      await link.sendCommand(command, () => {
        this.delivered(command.device, command.id);
      });
    } catch (error) {
      this.log.debug({ err: error, command: command.id }, 'a command could not be sent');
      this.unreachable(command);
    }
  }

  private unreachable({ id, device }: CommandView): void {
    this.steps.take({ id, deviceId: device, kind: 'unreachable', at: this.now() }).catch((error: unknown) => {
      this.log.debug({ err: error, command: id }, 'a command that nobody is there for runs into its time-out');
    });
  }

  /** Sends what is kept for a device; once at a time, and once more if there was something new meanwhile. */
  private drain(deviceId: string): void {
    const already = this.draining.get(deviceId);
    if (already) already.again = true;
    else void this.drainAll(deviceId);
  }

  private async drainAll(deviceId: string): Promise<void> {
    const state = { again: true };
    this.draining.set(deviceId, state);
    try {
      while (state.again && !this.stopped) {
        state.again = false;
        await this.sendBacklog(deviceId);
      }
    } catch (error) {
      this.log.debug({ err: error, device: deviceId }, 'what is kept for a device could not be sent');
      this.lookAgain(deviceId);
    } finally {
      this.draining.delete(deviceId);
    }
  }

  private lookAgain(deviceId: string): void {
    if (this.stopped) return;
    this.missed.add(deviceId);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const devices = [...this.missed];
      this.missed.clear();
      for (const device of devices) this.drain(device);
    }, AGAIN_MS);
  }

  private async sendBacklog(deviceId: string): Promise<void> {
    if (!this.links.of(deviceId, 'commands') || !(await this.waiting.add(deviceId))) return;
    let after = 0;
    for (;;) {
      const page = await this.store.backlog(deviceId, after, PAGE);
      const link = this.links.of(deviceId, 'commands');
      if (!link) return;
      const underWay = this.underWay.get(link) ?? new Set();
      this.underWay.set(link, underWay);
      for (const command of await this.claim(
        link,
        page.filter(({ id }) => !underWay.has(id)),
      )) {
        await this.sendKept(link, command, underWay);
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) return;
      after = last.number;
    }
  }

  /** Of several replicas that have something to send, one gets to send it over its link. */
  private async claim(link: DeviceLink, commands: readonly CommandEntity[]): Promise<CommandEntity[]> {
    const at = this.now();
    const claims = await Promise.all(
      commands.map(({ id, deviceId }) => this.steps.take({ id, deviceId, kind: 'sent', link: link.id, at })),
    );
    return claims.flatMap(({ command, changed }) => (command && changed ? [command] : []));
  }

  private async sendKept(link: DeviceLink, command: CommandEntity, underWay: Set<string>): Promise<void> {
    const { id, deviceId, number } = command;
    this.ids.set(numberKey(deviceId, number), id);
    underWay.add(id);
    await link.sendCommand(commandView(command), () => {
      underWay.delete(id);
      this.delivered(deviceId, id);
    });
  }

  private async haveBacklog(deviceIds: string[]): Promise<boolean[]> {
    const waiting = await this.store.waitingFor(deviceIds);
    return deviceIds.map((deviceId) => waiting.has(deviceId));
  }
}

const numberKey = (deviceId: string, number: number): string => `${deviceId} ${String(number)}`;
