import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Roles } from '#access';
import { CodedError, type Page } from '#contracts';
import { READING_LOG, type DeadLetter, type ReadingLog } from '../reading-log/reading-log.ts';
import { DeadLetterPage, DeadLettersQuery } from './query.schemas.ts';

const DeadLetterId = z.coerce.number().int().min(1);

/** Messages of the log that nobody could read, for administrators. */
@ApiTags('Readings')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN: not an administrator' })
@Roles('admin')
@Controller('api/telemetry/dead-letters')
export class DeadLettersController {
  constructor(@Inject(READING_LOG) private readonly log: ReadingLog) {}

  @Get()
  @ApiResponse({ status: 200, description: 'A page of dead letters, oldest first', standardSchema: DeadLetterPage })
  async list(@Query({ schema: DeadLettersQuery }) { limit, cursor }: DeadLettersQuery): Promise<Page<DeadLetter>> {
    const items = await this.log.deadLetters(cursor, limit + 1);
    const page = items.slice(0, limit);
    return { items: page, nextCursor: items.length > limit ? String(page.at(-1)?.id) : null };
  }

  /** Puts it on the log again; it comes back as another dead letter if it still cannot be read. */
  @Post(':id/replay')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'It is on the log again' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  async replay(@Param('id', { schema: DeadLetterId }) id: number): Promise<void> {
    if (!(await this.log.replay(id))) throw new CodedError('NOT_FOUND', `There is no dead letter ${String(id)}.`);
  }
}
