import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '#contracts';
import { UsageError, type Command, type FileFormat } from './config.ts';
import { Refusal, type Platform, type RowError, type Upload } from './platform.ts';
import { counts, jobLine, uploadLine } from './progress-bar.ts';
import type { Screen } from './screen.ts';

/** How often the platform is asked how far it is, in ms. */
const ASK_MS = 500;
/** Errors that are shown; --errors saves all. */
const SHOWN_ERRORS = 20;
/** What a shell reports for a process that SIGINT ended. */
const INTERRUPTED = 130;

/** Sends a file and, unless that is not wanted, watches until its devices are made. Gives the exit code. */
export async function importDevices(
  platform: Platform,
  screen: Screen,
  { file, format, watch, errorsFile }: Extract<Command, { do: 'import' }>,
): Promise<number> {
  const upload = await openFile(file, format);
  const onInterrupt = interrupted(screen, 'The file was not sent to its end: nothing was imported.');
  const jobId = await platform.upload(counting(upload, screen));
  onInterrupt.forget();
  screen.say(`Import ${jobId}`);
  return watch ? watchImport(platform, screen, jobId, errorsFile) : 0;
}

/** Shows how far an import is until it is over. Gives the exit code: 1 if it, or some of its rows, failed. */
export async function watchImport(
  platform: Platform,
  screen: Screen,
  jobId: string,
  errorsFile: string | undefined,
): Promise<number> {
  const onInterrupt = interrupted(
    screen,
    `The import goes on without you. To look at it: npm run fieldline -- devices import --job ${jobId}`,
  );
  const job = await ended(platform, screen, jobId);
  const shown = job.failed > 0 ? await platform.firstErrors(jobId, SHOWN_ERRORS) : [];
  if (errorsFile !== undefined) await pipeline(await platform.errorFile(jobId), createWriteStream(errorsFile));
  onInterrupt.forget();
  screen.end([...summary(job), ...shown.map(errorLine), ...leftOut(job, shown.length, errorsFile)]);
  return job.state === 'done' && job.failed === 0 ? 0 : 1;
}

async function openFile(file: string, format: FileFormat): Promise<Upload> {
  if (file === '-') return { content: process.stdin, bytes: undefined, format };
  try {
    const about = await stat(file);
    if (about.isDirectory()) throw new Error('it is a folder');
    return { content: createReadStream(file), bytes: about.isFile() ? about.size : undefined, format };
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

/** The same file, shown while it is sent. */
function counting(upload: Upload, screen: Screen): Upload {
  let sent = 0;
  let shownAt = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      if (Date.now() - shownAt >= screen.intervalMs) {
        shownAt = Date.now();
        screen.status(uploadLine(sent, upload.bytes));
      }
      done(null, chunk);
    },
  });
  pipeline(upload.content, counter).catch((error: unknown) => {
    counter.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return { ...upload, content: counter };
}

/** Asks until the import is over, also while the platform is away. */
async function ended(platform: Platform, screen: Screen, jobId: string): Promise<JobView> {
  const rateOf = createRate();
  let shownAt = 0;
  let isAway = false;
  for (;;) {
    try {
      const job = await platform.job(jobId);
      isAway = false;
      if (job.finishedAt !== null) return job;
      const rate = rateOf(job.processed);
      if (Date.now() - shownAt >= screen.intervalMs) {
        shownAt = Date.now();
        screen.status(jobLine(job, rate));
      }
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (!isAway) screen.say(`${error instanceof Error ? error.message : String(error)} Asking again and again.`);
      isAway = true;
    }
    await sleep(ASK_MS);
  }
}

/** Rows per second since the first question. */
function createRate(): (processed: number) => number {
  let first: { at: number; processed: number } | undefined;
  return (processed) => {
    first ??= { at: Date.now(), processed };
    return (1_000 * (processed - first.processed)) / Math.max(1, Date.now() - first.at);
  };
}

const summary = (job: JobView): string[] => [
  job.state === 'done' ? `Done: ${counts(job)}.` : `Failed: ${job.message ?? 'no reason was given.'}`,
  ...(job.state === 'done' ? [] : [`Until then: ${counts(job)}.`]),
];

const errorLine = ({ line, field, code, message }: RowError): string =>
  `  line ${String(line)}: ${field === null ? '' : `${field}: `}${message} (${code})`;

function leftOut({ id, failed }: JobView, shown: number, errorsFile: string | undefined): string[] {
  if (errorsFile !== undefined) return [`All rows that failed are in ${errorsFile}.`];
  return failed > shown
    ? [`  and ${String(failed - shown)} more: npm run fieldline -- devices import --job ${id} --errors errors.csv`]
    : [];
}

/** Says so and ends the process when somebody interrupts it. */
function interrupted(screen: Screen, words: string): { forget: () => void } {
  const end = (): void => {
    screen.end([words]);
    process.exit(INTERRUPTED);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, end);
  return {
    forget: () => {
      for (const signal of signals) process.off(signal, end);
    },
  };
}
