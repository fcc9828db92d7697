import { z } from 'zod';
import { JobView, PageQuery, pageOf } from '#contracts';

export const JobQuery = PageQuery.pick({ limit: true, cursor: true });
export type JobQuery = z.output<typeof JobQuery>;

export const JobPage = pageOf(JobView).meta({ id: 'ProvisioningJobPage' });

export const ErrorsQuery = z.strictObject({ format: z.enum(['csv', 'ndjson']).default('csv') });
export type ErrorsQuery = z.output<typeof ErrorsQuery>;

/** An import whose file has come in. */
export const StartedJob = z.object({ id: z.uuid() }).meta({ id: 'ProvisioningStartedJob' });
export type StartedJob = z.output<typeof StartedJob>;
