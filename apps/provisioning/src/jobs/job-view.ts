import { CodedError, type JobView, type Principal } from '#contracts';
import type { JobEntity } from './job.entity.ts';

export const jobView = (job: JobEntity): JobView => ({
  id: job.id,
  state: job.state,
  total: job.total,
  processed: job.processed,
  created: job.created,
  unchanged: job.unchanged,
  failed: job.failed,
  message: job.message,
  createdAt: job.createdAt.getTime(),
  finishedAt: job.finishedAt?.getTime() ?? null,
});

/** Its starter, administrators, and operators of the starter's customer see an import. */
export function maySee(
  principal: Principal,
  { userId, customerId }: Pick<JobEntity, 'userId' | 'customerId'>,
): boolean {
  if (principal.kind !== 'user') return false;
  if (principal.role === 'admin' || principal.userId === userId) return true;
  return principal.role === 'operator' && customerId !== null && principal.customerId === customerId;
}

/** In the same words whether or not there is such an import. */
export const noSuchJob = (id: string): CodedError =>
  new CodedError('NOT_FOUND', `There is no import ${id} among those you may see.`);
