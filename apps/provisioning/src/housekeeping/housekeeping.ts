import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';
import { Attempts } from '#sql';
import { Pairing } from '../pairing/pairing.service.ts';

const EVERY_MS = 60_000;
/** How long tickets are kept beyond their time, in ms: whoever claims late is told that they are late. */
const KEPT_MS = 3_600_000;

/** Deletes tickets and counts whose time is over; any replica may. */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private cleaning: Promise<void> | undefined;

  constructor(
    @Inject(Pairing) private readonly pairing: Pairing,
    @Inject(Attempts) private readonly attempts: Attempts,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.cleaning ??= this.cleanOrWarn().finally(() => {
        this.cleaning = undefined;
      });
    }, EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.cleaning;
  }

  async clean(): Promise<void> {
    await this.pairing.sweep(KEPT_MS);
    await this.attempts.sweep();
  }

  private async cleanOrWarn(): Promise<void> {
    try {
      await this.clean();
    } catch (error) {
      this.log.warn({ err: error }, 'what is over could not be deleted; trying again later');
    }
  }
}
