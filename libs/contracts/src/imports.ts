import { z } from 'zod';
import { UserPrincipal } from './people.ts';

/** One device of an import as its file has it; the registry checks what is in it. `line` is that of the file, from 1. */
export const ImportRow = z.object({
  line: z.number().int(),
  name: z.string().optional(),
  macAddress: z.string().optional(),
  serial: z.string().optional(),
  /** Number or id of a customer. */
  customer: z.string().optional(),
  /** Name or id of a device profile. */
  profile: z.string().optional(),
  labels: z.array(z.string()).optional(),
  kind: z.string().optional(),
  attributes: z.record(z.string(), z.unknown()).optional(),
});
export type ImportRow = z.output<typeof ImportRow>;

/** Rows of one import: as many as one transaction is to have. */
export const ImportRequest = z.object({
  jobId: z.uuid(),
  user: UserPrincipal,
  rows: z.array(ImportRow).max(1_000),
});
export type ImportRequest = z.output<typeof ImportRequest>;

/** What became of a row; with `failed`, why, and which field it was. */
export const ImportOutcome = z.object({
  line: z.number().int(),
  outcome: z.enum(['created', 'unchanged', 'failed']),
  code: z.string().optional(),
  field: z.string().optional(),
  message: z.string().optional(),
});
export type ImportOutcome = z.output<typeof ImportOutcome>;

export const ImportResult = z.object({ outcomes: z.array(ImportOutcome) });
export type ImportResult = z.output<typeof ImportResult>;

/** An import; counts are rows, times ms since the epoch. `total` is null while the file is still coming in. */
export const JobView = z
  .object({
    id: z.uuid(),
    state: z.enum(['receiving', 'running', 'done', 'failed']),
    total: z.number().int().nullable(),
    processed: z.number().int(),
    created: z.number().int(),
    unchanged: z.number().int(),
    failed: z.number().int(),
    /** Why the whole of it failed. */
    message: z.string().nullable(),
    createdAt: z.number().int(),
    finishedAt: z.number().int().nullable(),
  })
  .meta({ id: 'ProvisioningJob' });
export type JobView = z.output<typeof JobView>;

/** The subject on which the progress of one import is told to viewers, as a {@link JobView}. */
export const jobSubject = (jobId: string): string => `jobs.${jobId}`;
