import type { ImportOutcome, ImportRow } from '#contracts';
import type { JobErrorEntity } from './job.entity.ts';
import type { ChunkResult } from './job-queue.ts';
import type { UploadedRow } from './upload/uploaded-row.ts';

type RowError = Omit<JobErrorEntity, 'jobId'>;

/** Longest message of an error that is kept, in characters. */
const MAX_MESSAGE = 1_024;

/** The rows of a chunk that the registry is to look at. */
export const importRows = (rows: readonly UploadedRow[]): ImportRow[] =>
  rows.filter((row): row is ImportRow => !('problem' in row));

/** What became of the rows of a chunk. Throws if the registry left some out. */
export function chunkResult(rows: readonly UploadedRow[], outcomes: readonly ImportOutcome[]): ChunkResult {
  const countOf = (kind: ImportOutcome['outcome']): number => outcomes.filter(({ outcome }) => outcome === kind).length;
  const refused = outcomes.filter(({ outcome }) => outcome === 'failed').map(errorOf);
  const errors = [...rows.flatMap(problemOf), ...refused].sort((one, other) => one.line - other.line);
  const result = { created: countOf('created'), unchanged: countOf('unchanged'), errors };
  if (result.created + result.unchanged + errors.length !== rows.length) {
    throw new Error('the registry did not say what became of every row');
  }
  return result;
}

const errorOf = ({ line, code, field, message }: ImportOutcome): RowError => ({
  line,
  code: code ?? 'INVALID_INPUT',
  field: field ?? null,
  message: (message ?? '').slice(0, MAX_MESSAGE),
});

const problemOf = (row: UploadedRow): RowError[] =>
  'problem' in row
    ? [{ line: row.line, code: 'INVALID_INPUT', field: row.problem.field ?? null, message: row.problem.message }]
    : [];
