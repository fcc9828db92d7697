import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, LessThan, MoreThan, type EntityManager } from 'typeorm';
import { CodedError, type Page, type UserPrincipal } from '#contracts';
import { CLOCK, uuid7, type Clock } from '#platform';
import { inTransaction, keysetPage, rowLock } from '#sql';
import { PROVISIONING } from '../data-source-name.ts';
import { JobChunkEntity, JobEntity, JobErrorEntity } from './job.entity.ts';
import { JOB_HOLDER, leaseEnd } from './leases.ts';
import type { UploadedRow } from './upload/uploaded-row.ts';

/** How long finished jobs are kept, in ms. */
const KEPT_MS = 30 * 86_400_000;
/** Chunks that are deleted at a time. */
const CHUNKS_AT_ONCE = 100;
/** Errors that are read at a time. */
const ERRORS_AT_ONCE = 1_000;

const NEWEST_FIRST = { sort: '-id', property: 'id', descending: true } as const;

/** Jobs as they are kept, and their files as they come in. */
@Injectable()
export class JobStore {
  constructor(
    @InjectDataSource(PROVISIONING) private readonly dataSource: DataSource,
    @Inject(JOB_HOLDER) private readonly holder: string,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  find(id: string): Promise<JobEntity | null> {
    return this.manager.findOneBy(JobEntity, { id });
  }

  /** Those that somebody may see, newest first. */
  page(
    { role, userId, customerId }: UserPrincipal,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<JobEntity>> {
    const query = this.dataSource.getRepository(JobEntity).createQueryBuilder('job');
    if (role === 'operator' && customerId !== null) {
      query.andWhere('(job.customerId = :customerId OR job.userId = :userId)', { customerId, userId });
    } else if (role !== 'admin') query.andWhere('job.userId = :userId', { userId });
    return keysetPage(query, NEWEST_FIRST, page);
  }

  /** The errors of a job in the order of the file, some at a time. */
  async *errors(jobId: string): AsyncGenerator<JobErrorEntity[]> {
    let line = -1;
    for (;;) {
      const errors = await this.manager.find(JobErrorEntity, {
        where: { jobId, line: MoreThan(line) },
        order: { line: 'ASC' },
        take: ERRORS_AT_ONCE,
      });
      if (errors.length > 0) yield errors;
      if (errors.length < ERRORS_AT_ONCE) return;
      line = errors.at(-1)?.line ?? line;
    }
  }

  /** A job whose file is coming in, held by this process. */
  async open({ userId, sessionId, role, customerId }: UserPrincipal): Promise<string> {
    const now = this.now();
    const id = uuid7(now);
    await this.manager.insert(JobEntity, {
      id,
      userId,
      sessionId,
      role,
      customerId,
      state: 'receiving',
      total: null,
      message: null,
      leaseHolder: this.holder,
      leaseUntil: leaseEnd(this.now),
      createdAt: new Date(now),
      finishedAt: null,
    });
    return id;
  }

  /** Throws `CONFLICT` if the job was stopped meanwhile. */
  addChunk(jobId: string, number: number, rows: UploadedRow[]): Promise<void> {
    return inTransaction(this.dataSource, async (manager) => {
      const where = { id: jobId, state: 'receiving', leaseHolder: this.holder } as const;
      if (!(await manager.findOne(JobEntity, { where, lock: rowLock(manager) }))) throw stopped();
      await manager.insert(JobChunkEntity, { jobId, number, rows: rows as object[] });
    });
  }

  /** The file is complete: any replica may work on it. Throws `CONFLICT` if the job was stopped meanwhile. */
  async start(id: string, total: number): Promise<void> {
    const { affected } = await this.manager.update(
      JobEntity,
      { id, state: 'receiving', leaseHolder: this.holder },
      { state: 'running', total, leaseHolder: null, leaseUntil: null },
    );
    if (affected !== 1) throw stopped();
  }

  /** Ends a job that is not over yet; whoever holds it notices. */
  async fail(id: string, message: string): Promise<void> {
    await this.manager.update(
      JobEntity,
      { id, state: In(['receiving', 'running']) },
      { state: 'failed', message, finishedAt: new Date(this.now()) },
    );
  }

  async remove(id: string): Promise<void> {
    await this.removeChunks(id);
    await this.manager.delete(JobEntity, { id });
  }

  async removeChunks(jobId: string): Promise<void> {
    for (;;) {
      const next = await this.manager.findOne(JobChunkEntity, {
        select: { jobId: true, number: true },
        where: { jobId },
        order: { number: 'ASC' },
      });
      if (!next) return;
      await this.manager.delete(JobChunkEntity, { jobId, number: LessThan(next.number + CHUNKS_AT_ONCE) });
    }
  }

  /** Jobs whose upload nobody holds any more: the process that received it has died. */
  cutOff(): Promise<JobEntity[]> {
    return this.manager.findBy(JobEntity, { state: 'receiving', leaseUntil: LessThan(new Date(this.now())) });
  }

  /** Jobs that failed and still have chunks, which nobody works on any more. */
  async leftovers(): Promise<string[]> {
    const rows = await this.manager
      .createQueryBuilder(JobEntity, 'job')
      .select('job.id')
      .where("job.state = 'failed'")
      .andWhere('(job.leaseUntil IS NULL OR job.leaseUntil < :now)', { now: new Date(this.now()) })
      .andWhere('EXISTS (SELECT 1 FROM job_chunks c WHERE c.job_id = job.id)')
      .getMany();
    return rows.map(({ id }) => id);
  }

  async removeExpired(): Promise<void> {
    await this.manager.delete(JobEntity, { finishedAt: LessThan(new Date(this.now() - KEPT_MS)) });
  }

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }
}

const stopped = (): CodedError => new CodedError('CONFLICT', 'The import was stopped while its file came in.');
