import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { Ledger, Page, Reading, UserPrincipal } from '#contracts';
import { LatestQuery, LatestReply, LedgerReply, RangeQuery, RangeReply, type RangeRequest } from './query.schemas.ts';
import { ReadingsService } from './readings.service.ts';

const DeviceId = z.uuid();

/** Readings out. */
@ApiTags('Readings')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 404, description: 'NOT_FOUND: no such device among the caller’s' })
@Controller('api/devices/:id')
export class ReadingsController {
  constructor(@Inject(ReadingsService) private readonly readings: ReadingsService) {}

  @Get('latest')
  @ApiResponse({
    status: 200,
    description: 'The newest reading of each sensor, by its own time',
    standardSchema: LatestReply,
  })
  latest(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Query({ schema: LatestQuery }) { sensors }: LatestQuery,
  ): Promise<Record<string, Omit<Reading, 'sensor'>>> {
    return this.readings.latest(caller, id, sensors);
  }

  @Get('readings')
  @ApiResponse({ status: 200, description: 'A page of readings in order of time', standardSchema: RangeReply })
  range(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Query({ schema: RangeQuery }) request: RangeRequest,
  ): Promise<Page<Reading>> {
    return this.readings.range(caller, id, request);
  }

  @Get('ledger')
  @ApiResponse({ status: 200, description: 'What became of everything the device sent', standardSchema: LedgerReply })
  ledger(@Caller() caller: UserPrincipal, @Param('id', { schema: DeviceId }) id: string): Promise<Ledger> {
    return this.readings.ledger(caller, id);
  }
}
