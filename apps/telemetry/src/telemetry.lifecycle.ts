import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Health, LOGGER, waitFor, type CheckResult, type Log } from '#platform';
import { GroupCommit } from './reading-log/group-commit.ts';
import { READING_LOG, type ReadingLog } from './reading-log/reading-log.ts';
import { READING_STORE, type ReadingStore } from './reading-store/reading-store.ts';
import { ReadingWriter } from './writer/writer.ts';

/** Injection symbol: does this replica write to the store? */
export const IS_WRITER = Symbol('IS_WRITER');

/**
 * Starts and stops what telemetry is made of, in order. Without the log there is no service, so the start waits for it; without
 * the store readings are still taken in, so it is waited for beside that.
 */
@Injectable()
export class TelemetryLifecycle
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly stopping = new AbortController();
  private storing: Promise<void> = Promise.resolve();
  private storeIsThere = false;

  constructor(
    @Inject(READING_LOG) private readonly log: ReadingLog,
    @Inject(READING_STORE) private readonly store: ReadingStore,
    @Inject(GroupCommit) private readonly groups: GroupCommit,
    @Inject(ReadingWriter) private readonly writer: ReadingWriter,
    @Inject(IS_WRITER) private readonly isWriter: boolean,
    @Inject(Health) private readonly health: Health,
    @Inject(LOGGER) private readonly logger: Log,
  ) {}

  async onModuleInit(): Promise<void> {
    this.health.add('reading log', { critical: true, run: () => this.checkLog() });
    this.health.add('reading store', { critical: false, run: () => this.checkStore() });
    await waitFor('the reading log', () => this.log.start(), this.logger, this.stopping.signal);
  }

  onApplicationBootstrap(): void {
    this.storing = this.startStore();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.groups.idle();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.storing;
    if (this.isWriter && this.storeIsThere) await this.writer.stop();
    await this.log.stop();
    if (this.storeIsThere) await this.store.stop();
  }

  private async startStore(): Promise<void> {
    try {
      await waitFor('the reading store', () => this.store.start(), this.logger, this.stopping.signal);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      throw error;
    }
    this.storeIsThere = true;
    if (this.isWriter) this.writer.start();
  }

  private async checkLog(): Promise<CheckResult> {
    return { status: 'up', backlog: await this.log.backlog() };
  }

  /** What this replica failed to write may have been written by another one since. */
  private async checkStore(): Promise<CheckResult> {
    await this.store.ping();
    const { failing } = this.writer.stats;
    if (!failing || (await this.log.backlog()).messages === 0) return { status: 'up' };
    return { status: 'degraded', detail: failing.reason, since: failing.since };
  }
}
