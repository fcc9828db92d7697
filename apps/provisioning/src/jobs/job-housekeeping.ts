import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';
import { JobProgress } from './job-progress.ts';
import { JobStore } from './job-store.ts';
import { UPLOAD_CUT_OFF } from './upload/request-file.ts';

/** How often to look for what processes that died have left, in ms. */
const EVERY_MS = 10_000;

/** Ends uploads whose process has died, and deletes what is of no use any more. */
@Injectable()
export class JobHousekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private tidying: Promise<void> = Promise.resolve();

  constructor(
    @Inject(JobStore) private readonly store: JobStore,
    @Inject(JobProgress) private readonly progress: JobProgress,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.tidying = this.tidying
        .then(() => this.tidy())
        .catch((error: unknown) => {
          this.log.warn({ err: error }, 'imports could not be tidied up');
        });
    }, EVERY_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.tidying;
  }

  async tidy(): Promise<void> {
    for (const { id } of await this.store.cutOff()) {
      await this.store.fail(id, UPLOAD_CUT_OFF);
      const job = await this.store.find(id);
      if (job) this.progress.tell(job);
    }
    for (const id of await this.store.leftovers()) await this.store.removeChunks(id);
    await this.store.removeExpired();
  }
}
