import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type UserPrincipal } from '#contracts';
import { JobQueue } from './job-queue.ts';
import { JobStore } from './job-store.ts';
import { renewing } from './leases.ts';
import { chunksOf } from './upload/chunks.ts';
import { csvRows } from './upload/csv-rows.ts';
import { ndjsonRows } from './upload/ndjson-rows.ts';
import type { FileFormat } from './upload/request-file.ts';
import { badFile, type UploadedRow } from './upload/uploaded-row.ts';
import { utf8Text } from './upload/utf8-text.ts';

const ROWS_OF = { csv: csvRows, ndjson: ndjsonRows } as const;

/** A file that is coming in; its job is there once a part of it is stored. */
interface Upload {
  user: UserPrincipal;
  jobId: string | undefined;
}

/** Files as they come in. */
@Injectable()
export class Uploads {
  constructor(
    @Inject(JobStore) private readonly store: JobStore,
    @Inject(JobQueue) private readonly queue: JobQueue,
  ) {}

  /**
   * Stores a file while it comes in; its job runs once it is complete. Gives the job's id. A file that cannot be used leaves nothing
   * behind and throws `INVALID_INPUT` with the line; one that ends early leaves a failed job and throws `UPLOAD_CUT_OFF`.
   */
  async receive(user: UserPrincipal, format: FileFormat, file: AsyncIterable<Buffer>): Promise<string> {
    const upload: Upload = { user, jobId: undefined };
    try {
      return await renewing(
        () => this.renew(upload),
        () => this.stored(upload, chunksOf(ROWS_OF[format](utf8Text(file)))),
      );
    } catch (error) {
      if (upload.jobId !== undefined) await this.undo(upload.jobId, error);
      throw error;
    }
  }

  private async stored(upload: Upload, chunks: AsyncIterable<UploadedRow[]>): Promise<string> {
    let [number, total] = [0, 0];
    for await (const rows of chunks) {
      upload.jobId ??= await this.store.open(upload.user);
      await this.store.addChunk(upload.jobId, number, rows);
      number += 1;
      total += rows.length;
    }
    if (upload.jobId === undefined) throw badFile(1, 'the file has no devices.');
    await this.store.start(upload.jobId, total);
    return upload.jobId;
  }

  private async renew({ jobId }: Upload): Promise<void> {
    if (jobId !== undefined) await this.queue.renew(jobId);
  }

  private async undo(jobId: string, error: unknown): Promise<void> {
    if (error instanceof CodedError && error.code === 'INVALID_INPUT') {
      await this.store.remove(jobId);
      return;
    }
    await this.store.fail(
      jobId,
      error instanceof CodedError ? error.message : 'The file could not be stored: send it again.',
    );
    await this.store.removeChunks(jobId);
  }
}
