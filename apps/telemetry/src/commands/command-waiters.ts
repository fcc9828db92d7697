import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CodedError, linkSubject, type CommandView } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { uuid7 } from '#platform';
import { DeviceLinks } from '../link/device-links.ts';
import { Replica } from '../link/replica.ts';

/** How long replicas have to say that they can send a command, in ms: a message there and one back. */
const OFFER_MS = 1_500;

/** What this replica waits to hear from others: who can send a command, and what became of one. */
@Injectable()
export class CommandWaiters implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly offers = new Map<string, (replica: string) => void>();
  private readonly ends = new Map<string, (command: CommandView | undefined) => void>();
  private stopping = false;
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(
    @Inject(Replica) private readonly replica: Replica,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(BUS) private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.replica.listen((message) => {
      if (message.type === 'offer') this.offers.get(message.request)?.(message.replica);
      if (message.type === 'ended') this.ends.get(message.command.id)?.(message.command);
    });
  }

  /** Whoever still waits is told at once; the commands go on without them. */
  beforeApplicationShutdown(): void {
    this.unsubscribe();
    this.stopping = true;
    for (const end of this.ends.values()) end(undefined);
  }

  /** The replica that can send the device a command; undefined if there is none. */
  async holderOf(deviceId: string, withinMs: number): Promise<string | undefined> {
    if (this.links.of(deviceId, 'commands')) return this.replica.id;
    if (!this.bus.reaches(linkSubject(deviceId))) return undefined;
    const request = uuid7();
    const offer = within<string>(Math.min(withinMs, OFFER_MS), (take) => {
      this.offers.set(request, take);
    });
    this.links.tell(deviceId, { type: 'command-wanted', request, asker: this.replica.id });
    const holder = await offer;
    this.offers.delete(request);
    return holder;
  }

  /** The command once it has ended, if that is heard in time. Throws `SHUTTING_DOWN` if this replica ends before. */
  async ended(id: string, withinMs: number): Promise<CommandView | undefined> {
    const command = await within<CommandView | undefined>(withinMs, (take) => {
      this.ends.set(id, take);
    });
    this.ends.delete(id);
    if (this.stopping && !command) throw shuttingDown(id);
    return command;
  }
}

const shuttingDown = (id: string): CodedError =>
  new CodedError(
    'SHUTTING_DOWN',
    `This replica is shutting down: the command goes on, ask for it at GET /api/devices/:id/commands/${id}.`,
  );

/** What is taken within that time, undefined if nothing is. */
function within<T>(ms: number, listen: (take: (value: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, undefined);
    listen((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
