import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { ConnectionView, Page, UserPrincipal } from '#contracts';
import { PeoplesConnections } from './peoples-connections.service.ts';
import { ConnectionReply, HistoryPage, HistoryQuery, type ConnectionEntry } from './presence.schemas.ts';

const DeviceId = z.uuid();

/** Whether and how devices are connected. */
@ApiTags('Connections')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 404, description: 'NOT_FOUND: no such device among the caller’s' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/devices/:id/connection')
export class ConnectionController {
  constructor(@Inject(PeoplesConnections) private readonly connections: PeoplesConnections) {}

  @Get()
  @ApiResponse({ status: 200, description: 'How it is connected, or was last', standardSchema: ConnectionReply })
  get(@Caller() caller: UserPrincipal, @Param('id', { schema: DeviceId }) id: string): Promise<ConnectionView> {
    return this.connections.get(caller, id);
  }

  @Get('history')
  @ApiResponse({ status: 200, description: 'What happened to it, newest first', standardSchema: HistoryPage })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  history(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Query({ schema: HistoryQuery }) query: HistoryQuery,
  ): Promise<Page<ConnectionEntry>> {
    return this.connections.history(caller, id, query);
  }
}
