import { Readable } from 'node:stream';
import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiConsumes, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import { JobView, type Page, type UserPrincipal } from '#contracts';
import { discardRest, Takes } from '#platform';
import { errorsAsCsv, errorsAsNdjson } from './error-file.ts';
import { JobWorker } from './job-worker.ts';
import { ErrorsQuery, JobPage, JobQuery, StartedJob } from './job.schemas.ts';
import { Jobs } from './jobs.service.ts';
import { COLUMNS } from './upload/csv-rows.ts';
import { bodyOf, formatOf } from './upload/request-file.ts';
import { Uploads } from './uploads.service.ts';

/** Devices by file. */
@ApiTags('provisioning')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/provisioning/jobs')
export class JobsController {
  constructor(
    @Inject(Jobs) private readonly jobs: Jobs,
    @Inject(Uploads) private readonly uploads: Uploads,
    @Inject(JobWorker) private readonly worker: JobWorker,
  ) {}

  @Post()
  @HttpCode(202)
  @Roles('admin', 'operator')
  @Takes('text/csv', 'application/x-ndjson', 'application/jsonl')
  @ApiConsumes('text/csv', 'application/x-ndjson', 'application/jsonl')
  @ApiBody({
    description: `UTF-8 of any size: CSV whose first line names columns out of ${COLUMNS.join(',')} (labels separated by ;), or one JSON object a line with those fields and attributes. Sending it twice changes nothing`,
    schema: { type: 'string', format: 'binary' },
  })
  @ApiResponse({ status: 202, description: 'The file is here; its devices are being made', standardSchema: StartedJob })
  @ApiResponse({ status: 403, description: 'FORBIDDEN' })
  @ApiResponse({ status: 415, description: 'UNSUPPORTED_MEDIA_TYPE' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT, with the line: nothing of the file was used' })
  async start(
    @Caller() caller: UserPrincipal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StartedJob> {
    try {
      const id = await this.uploads.receive(caller, formatOf(request), bodyOf(request));
      this.worker.wake();
      response.location(`/api/provisioning/jobs/${id}`);
      return { id };
    } catch (error) {
      await discardRest(request);
      throw error;
    }
  }

  @Get()
  @ApiResponse({ status: 200, description: 'Those that the caller may see, newest first', standardSchema: JobPage })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  list(@Caller() caller: UserPrincipal, @Query({ schema: JobQuery }) query: JobQuery): Promise<Page<JobView>> {
    return this.jobs.list(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'How far it is', standardSchema: JobView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  get(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<JobView> {
    return this.jobs.get(caller, id);
  }

  @Get(':id/errors')
  @ApiProduces('text/csv', 'application/x-ndjson')
  @ApiResponse({
    status: 200,
    description: 'The rows that failed: line,field,code,message',
    schema: { type: 'string' },
  })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  async errors(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Query({ schema: ErrorsQuery }) { format }: ErrorsQuery,
  ): Promise<StreamableFile> {
    const errors = await this.jobs.errors(caller, id);
    return format === 'csv'
      ? new StreamableFile(Readable.from(errorsAsCsv(errors)), { type: 'text/csv; charset=utf-8' })
      : new StreamableFile(Readable.from(errorsAsNdjson(errors)), { type: 'application/x-ndjson' });
  }

  @Delete(':id')
  @ApiResponse({
    status: 200,
    description: 'Stopped, unless it was over; what it has made stays',
    standardSchema: JobView,
  })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  stop(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<JobView> {
    return this.jobs.stop(caller, id);
  }
}
