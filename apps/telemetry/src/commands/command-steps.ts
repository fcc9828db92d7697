import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';
import { Replica } from '../link/replica.ts';
import { DeviceEvents } from '../live/device-events.ts';
import { hasEnded } from './command-state.ts';
import { CommandStore, type Stepped, type StepOf } from './command-store.ts';
import { commandView } from './command-view.ts';
import { CommandMetrics } from './commands.metrics.ts';
import { Grouped } from './grouped.ts';

/** Steps that one transaction takes. */
const MOST = 200;
/** How long a step that nobody waits for may wait for one that somebody does, in ms. */
const LAZY_MS = 50;

/** Takes commands on, many in one transaction, and tells whoever should know what became of them. */
@Injectable()
export class CommandSteps implements BeforeApplicationShutdown {
  private readonly groups = new Grouped<StepOf, Stepped>((steps) => this.takeAll(steps), MOST);
  private readonly lazy: StepOf[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CommandStore) private readonly store: CommandStore,
    @Inject(DeviceEvents) private readonly live: DeviceEvents,
    @Inject(Replica) private readonly replica: Replica,
    @Inject(CommandMetrics) private readonly metrics: CommandMetrics,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.flush();
    await this.groups.idle();
  }

  /** Takes a step, after those that were noted before it; resolves once it is durable. Rejects while the database is away. */
  take(step: StepOf): Promise<Stepped> {
    this.flush();
    return this.groups.add(step);
  }

  /** A step that nobody waits for: it is taken soon, or with the next one of any command. While the database is away it is lost. */
  note(step: StepOf): void {
    this.lazy.push(step);
    if (this.lazy.length >= MOST) this.flush();
    else {
      this.timer ??= setTimeout(() => {
        this.flush();
      }, LAZY_MS);
    }
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const step of this.lazy.splice(0)) {
      this.groups.add(step).catch((error: unknown) => {
        this.log.debug({ err: error, command: step.id }, 'what was noted of a command is lost');
      });
    }
  }

  private async takeAll(steps: StepOf[]): Promise<Stepped[]> {
    const results = await this.store.step(steps);
    this.tell(results);
    return results;
  }

  private tell(results: readonly Stepped[]): void {
    const last = new Map(
      results.flatMap(({ command, changed }) => (command && changed ? [[command.id, command]] : [])),
    );
    for (const command of last.values()) {
      const view = commandView(command);
      this.live.tell(command.deviceId, { event: 'command', data: view });
      if (!hasEnded(command)) continue;
      this.metrics.ended(command.status);
      if (command.asker !== null) this.replica.tell(command.asker, { type: 'ended', command: view });
    }
  }
}
