import { Inject, Injectable } from '@nestjs/common';
import type { JobView, Page, Principal, UserPrincipal } from '#contracts';
import type { JobEntity, JobErrorEntity } from './job.entity.ts';
import { JobProgress } from './job-progress.ts';
import { JobStore } from './job-store.ts';
import { jobView, maySee, noSuchJob } from './job-view.ts';

/** Imports, as people see them. */
@Injectable()
export class Jobs {
  constructor(
    @Inject(JobStore) private readonly store: JobStore,
    @Inject(JobProgress) private readonly progress: JobProgress,
  ) {}

  async list(caller: UserPrincipal, page: { limit: number; cursor?: string | undefined }): Promise<Page<JobView>> {
    const { items, nextCursor } = await this.store.page(caller, page);
    return { items: items.map(jobView), nextCursor };
  }

  /** Throws `NOT_FOUND` for an import that is not there or not for the caller to see. */
  async get(caller: Principal, id: string): Promise<JobView> {
    return jobView(await this.visible(caller, id));
  }

  /** What was wrong with which rows, some at a time. Throws as {@link get} does. */
  async errors(caller: UserPrincipal, id: string): Promise<AsyncIterable<JobErrorEntity[]>> {
    await this.visible(caller, id);
    return this.store.errors(id);
  }

  /** Ends an import that is not over: what it has made so far stays. Throws as {@link get} does. */
  async stop(caller: UserPrincipal, id: string): Promise<JobView> {
    await this.visible(caller, id);
    await this.store.fail(id, `Stopped by user ${caller.userId}; devices made so far stay.`);
    const job = await this.visible(caller, id);
    this.progress.tell(job);
    return jobView(job);
  }

  private async visible(caller: Principal, id: string): Promise<JobEntity> {
    const job = await this.store.find(id);
    if (!job || !maySee(caller, job)) throw noSuchJob(id);
    return job;
  }
}
