import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { CLOCK, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { JobChunkEntity, JobEntity, JobErrorEntity } from './job.entity.ts';
import { JOB_HOLDER, leaseEnd } from './leases.ts';

/** Errors of one job that are kept; all are counted. */
const MAX_ERRORS = 100_000;

/** What became of a chunk. */
export interface ChunkResult {
  created: number;
  unchanged: number;
  errors: Omit<JobErrorEntity, 'jobId'>[];
}

/** Running jobs, each worked on by one process at a time: the one that holds it. */
@Injectable()
export class JobQueue {
  constructor(
    @InjectDataSource(PROVISIONING) private readonly dataSource: DataSource,
    @Inject(JOB_HOLDER) private readonly holder: string,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** The job that has waited longest, held from now on; null if there is none that nobody holds. */
  async take(): Promise<JobEntity | null> {
    const isFree = "state = 'running' AND (lease_until IS NULL OR lease_until < :now)";
    const parameters = { now: new Date(this.now()) };
    const next = await this.manager
      .createQueryBuilder(JobEntity, 'job')
      .where(isFree, parameters)
      .orderBy('job.leaseUntil')
      .addOrderBy('job.id')
      .limit(1)
      .getOne();
    if (!next) return null;
    const lease = { leaseHolder: this.holder, leaseUntil: leaseEnd(this.now) };
    const { affected } = await this.manager
      .createQueryBuilder()
      .update(JobEntity)
      .set(lease)
      .where(`id = :id AND ${isFree}`, { ...parameters, id: next.id })
      .execute();
    return affected === 1 ? { ...next, ...lease } : this.take();
  }

  async renew(id: string): Promise<void> {
    await this.manager.update(JobEntity, this.held(id), { leaseUntil: leaseEnd(this.now) });
  }

  /** Lets others have it, after those that have waited longer. */
  async release(id: string): Promise<void> {
    await this.manager.update(JobEntity, this.held(id), { leaseHolder: null, leaseUntil: new Date(this.now()) });
  }

  nextChunk(jobId: string): Promise<JobChunkEntity | null> {
    return this.manager.findOne(JobChunkEntity, { where: { jobId }, order: { number: 'ASC' } });
  }

  /** Counts a chunk, once: it is gone with that. Null if somebody else holds the job by now, or has counted it. */
  count({ jobId, number, rows }: JobChunkEntity, result: ChunkResult): Promise<JobEntity | null> {
    return inTransaction(this.dataSource, async (manager) => {
      const before = await manager.findOne(JobEntity, { where: this.held(jobId), lock: rowLock(manager) });
      if (!before) return null;
      const { affected } = await manager.delete(JobChunkEntity, { jobId, number });
      if (affected !== 1) return null;
      const counts = {
        processed: before.processed + rows.length,
        created: before.created + result.created,
        unchanged: before.unchanged + result.unchanged,
        failed: before.failed + result.errors.length,
        leaseUntil: leaseEnd(this.now),
      };
      await manager.update(JobEntity, { id: jobId }, counts);
      const kept = result.errors.slice(0, Math.max(0, MAX_ERRORS - before.failed));
      if (kept.length > 0) {
        await manager.insert(
          JobErrorEntity,
          kept.map((error) => ({ ...error, jobId })),
        );
      }
      return { ...before, ...counts };
    });
  }

  /** All chunks are counted. Null if the job was stopped, or somebody else holds it by now. */
  async finish(id: string): Promise<JobEntity | null> {
    const change = { state: 'done', finishedAt: new Date(this.now()), leaseHolder: null } as const;
    const { affected } = await this.manager.update(JobEntity, { ...this.held(id), state: 'running' }, change);
    return affected === 1 ? this.manager.findOneBy(JobEntity, { id }) : null;
  }

  private held(id: string): { id: string; leaseHolder: string } {
    return { id, leaseHolder: this.holder };
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}
