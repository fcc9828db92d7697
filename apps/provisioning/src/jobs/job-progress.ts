import { Inject, Injectable } from '@nestjs/common';
import { jobSubject } from '#contracts';
import { BUS, type Bus } from '#messaging';
import { CLOCK, type Clock } from '#platform';
import type { JobEntity } from './job.entity.ts';
import { jobView } from './job-view.ts';

/** Least time between two words on a job that goes on, in ms. */
const EVERY_MS = 250;

/** Tells viewers how far jobs are. */
@Injectable()
export class JobProgress {
  private readonly toldAt = new Map<string, number>();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  /** At most four times a second for each job, and always when it is over. */
  tell(job: JobEntity): void {
    const now = this.now();
    const isOver = job.finishedAt !== null;
    if (!isOver && now - (this.toldAt.get(job.id) ?? -Infinity) < EVERY_MS) return;
    if (isOver) this.toldAt.delete(job.id);
    else this.toldAt.set(job.id, now);
    const subject = jobSubject(job.id);
    if (this.bus.reaches(subject)) this.bus.publish(subject, JSON.stringify(jobView(job)));
  }

  /** Somebody else goes on with the job. */
  leave(jobId: string): void {
    this.toldAt.delete(jobId);
  }
}
