import type { Schema } from '#sql';
import { JobChunkEntity, JobEntity, JobErrorEntity } from './jobs/job.entity.ts';
import { Jobs1767225600101 } from './migrations/0001-jobs.ts';

/** Everything that provisioning keeps. */
export const PROVISIONING_SCHEMA: Schema = {
  entities: [JobEntity, JobChunkEntity, JobErrorEntity],
  migrations: [Jobs1767225600101],
};
