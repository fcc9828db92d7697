import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { CodedError } from '#contracts';
import { RpcClient } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { chunkResult, importRows } from './chunk-result.ts';
import type { JobChunkEntity, JobEntity } from './job.entity.ts';
import { JobProgress } from './job-progress.ts';
import { JobQueue, type ChunkResult } from './job-queue.ts';
import { JobStore } from './job-store.ts';
import { renewing } from './leases.ts';

/** How often to look for a job that another process has received or left, in ms. */
const LOOK_MS = 1_000;
/** How long one job is worked on while others wait, in ms. */
const TURN_MS = 2_000;
/** How long the registry may take for one chunk, in ms. */
const CHUNK_MS = 30_000;
/** Longest pause while the registry is away, in ms. */
const MAX_PAUSE_MS = 5_000;
/** How often in a row the registry may fail with a chunk for a reason that nobody expected. */
const MAX_FAULTS = 10;

/** Works on jobs, one at a time, chunk by chunk; every replica has one. */
@Injectable()
export class JobWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private working: Promise<void> = Promise.resolve();
  private wakeUp: () => void = () => undefined;

  constructor(
    @Inject(JobQueue) private readonly queue: JobQueue,
    @Inject(JobStore) private readonly store: JobStore,
    @Inject(JobProgress) private readonly progress: JobProgress,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(LOGGER) private readonly log: Log,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.working = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await this.working;
  }

  /** There may be something to do. */
  wake(): void {
    this.wakeUp();
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      try {
        const job = await this.queue.take();
        if (!job) await this.rest();
        else {
          await renewing(
            () => this.queue.renew(job.id),
            () => this.work(job),
          );
        }
      } catch (error) {
        this.log.warn({ err: error }, 'an import pauses');
        await this.pause(MAX_PAUSE_MS);
      }
    }
  }

  /** One turn of a job. */
  private async work(job: JobEntity): Promise<void> {
    const end = this.now() + TURN_MS;
    while (!this.isStopping && this.now() < end) {
      const chunk = await this.queue.nextChunk(job.id);
      if (!chunk) return this.finish(job.id);
      const result = await this.resultOf(job, chunk);
      if (!result) break;
      const counted = await this.queue.count(chunk, result);
      if (!counted) return;
      this.progress.tell(counted);
      if (counted.state !== 'running') break;
    }
    this.progress.leave(job.id);
    await this.queue.release(job.id);
  }

  private async finish(id: string): Promise<void> {
    const done = await this.queue.finish(id);
    if (done) this.progress.tell(done);
  }

  /** Asks the registry until it answers; undefined if the job is not to go on here. */
  private async resultOf(job: JobEntity, chunk: JobChunkEntity): Promise<ChunkResult | undefined> {
    for (let attempt = 0; !this.isStopping; attempt += 1) {
      try {
        return await this.imported(job, chunk);
      } catch (error) {
        if (!isPassing(error, attempt)) {
          this.log.error({ err: error, jobId: job.id }, 'an import failed');
          await this.fail(job.id);
          return undefined;
        }
        this.log.warn({ err: error, jobId: job.id }, 'an import waits for the registry');
        await this.pause(Math.min(100 * 2 ** attempt, MAX_PAUSE_MS));
        if ((await this.store.find(job.id))?.state !== 'running') return undefined;
      }
    }
    return undefined;
  }

  private async imported(
    { id, userId, sessionId, role, customerId }: JobEntity,
    { rows }: JobChunkEntity,
  ): Promise<ChunkResult> {
    const asked = importRows(rows);
    if (asked.length === 0) return chunkResult(rows, []);
    const user = { kind: 'user', userId, sessionId, role, customerId } as const;
    const { outcomes } = await this.rpc.call('registry.devices.import', { jobId: id, user, rows: asked }, CHUNK_MS);
    return chunkResult(rows, outcomes);
  }

  private async fail(id: string): Promise<void> {
    await this.store.fail(id, 'The registry could not do a part of the file: the log of provisioning has the details.');
    const job = await this.store.find(id);
    if (job) this.progress.tell(job);
  }

  private pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  /** Until somebody wakes the worker, or it is time to look again. */
  private async rest(): Promise<void> {
    if (this.isStopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Will it pass by itself? What nobody expected may have been the fault of the moment, but not again and again. */
function isPassing(error: unknown, attempt: number): boolean {
  if (!(error instanceof CodedError) || error.status < 500) return false;
  return error.code !== 'INTERNAL' || attempt < MAX_FAULTS;
}
