import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Events, type Unsubscribe } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { CommandSteps } from './command-steps.ts';
import { CommandStore } from './command-store.ts';

/** Injection symbol of how long commands are kept, in ms. */
export const COMMAND_HISTORY_MS = Symbol('COMMAND_HISTORY_MS');

/** How often commands are looked for whose time is over, in ms. */
const SWEEP_MS = 2_000;
/** How long a command's own replica has to end it, in ms. */
const GRACE_MS = 2_000;
/** How often old ones are deleted, in ms. */
const PRUNE_MS = 600_000;
/** Commands that are ended at a time. */
const AT_ONCE = 500;

/** Ends commands whose time is over and that nobody else ends, and deletes old ones. Any replica may; each end is taken once. */
@Injectable()
export class CommandHousekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly timers: NodeJS.Timeout[] = [];
  private unsubscribe: Unsubscribe = () => undefined;
  private working: Promise<void> = Promise.resolve();

  constructor(
    @Inject(CommandStore) private readonly store: CommandStore,
    @Inject(CommandSteps) private readonly steps: CommandSteps,
    @Inject(Events) private readonly events: Events,
    @Inject(COMMAND_HISTORY_MS) private readonly historyMs: number,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.every(SWEEP_MS, () => this.sweep());
    this.every(PRUNE_MS, () => this.store.prune(this.now() - this.historyMs));
    this.unsubscribe = this.events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'deleted') this.do(() => this.store.forget(device.id));
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.working;
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** Ends what is overdue. */
  async sweep(): Promise<void> {
    const at = this.now();
    const ids = await this.store.overdue(at - GRACE_MS, AT_ONCE);
    await Promise.all(ids.map((id) => this.steps.take({ id, deviceId: null, kind: 'overdue', at })));
    if (ids.length === AT_ONCE) await this.sweep();
  }

  private every(ms: number, work: () => Promise<void>): void {
    this.timers.push(
      setInterval(() => {
        this.do(work);
      }, ms),
    );
  }

  private do(work: () => Promise<void>): void {
    this.working = this.working.then(work).catch((error: unknown) => {
      this.log.warn({ err: error }, 'commands could not be tidied up');
    });
  }
}
