import type { JobView } from '#contracts';

const WIDTH = 24;

const whole = (count: number): string => Math.round(count).toLocaleString('en-US');
const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);

function bar(done: number, total: number): string {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(part * WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}] ${String(Math.floor(part * 100)).padStart(3)}%`;
}

/** How much of a file is sent; `total` in bytes, undefined where it is not known. */
export const uploadLine = (sent: number, total: number | undefined): string =>
  total === undefined
    ? `Sending ${megabytes(sent)} MB`
    : `Sending ${bar(sent, total)} · ${megabytes(sent)} of ${megabytes(total)} MB`;

/** How far an import is; `rate` in rows per second. */
export const jobLine = (job: JobView, rate: number): string =>
  `Making  ${bar(job.processed, job.total ?? job.processed)} · ${counts(job)} · ${whole(rate)}/s`;

/** What became of the rows so far. */
export const counts = ({ total, processed, created, unchanged, failed }: JobView): string =>
  [
    `${whole(processed)} of ${total === null ? '?' : whole(total)} rows`,
    `created ${whole(created)}`,
    `unchanged ${whole(unchanged)}`,
    `failed ${whole(failed)}`,
  ].join(' · ');
