import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';
import { PackageStore } from './package-store.ts';

/** How often to look for what processes that died have left, in ms. */
const EVERY_MS = 30_000;

/** Deletes what is left of uploads that were cut off, and of packages that were being deleted; any replica may. */
@Injectable()
export class PackageHousekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    @Inject(PackageStore) private readonly store: PackageStore,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweeping = this.sweeping
        .then(() => this.store.sweep())
        .catch((error: unknown) => {
          this.log.warn({ err: error }, 'what is left of packages could not be deleted; trying again later');
        });
    }, EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }
}
