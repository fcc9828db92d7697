import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { Caller } from '#access';
import { CommandView, type Page, type UserPrincipal } from '#contracts';
import { CommandPage, CommandsQuery, IdempotencyKey, SendCommand, SentCommand } from './command.schemas.ts';
import { Commands } from './commands.service.ts';

const Id = z.uuid();

/** What devices are told to do. */
@ApiTags('Commands')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN: the caller may only see the device' })
@ApiResponse({ status: 404, description: 'NOT_FOUND: no such device among the caller’s, or no such command of it' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/devices/:id/commands')
export class CommandsController {
  constructor(@Inject(Commands) private readonly commands: Commands) {}

  @Post()
  @HttpCode(200)
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: '1 to 128 visible ASCII characters: the same key and body again is the same command',
  })
  @ApiResponse({ status: 200, description: 'What the device answered', standardSchema: SentCommand })
  @ApiResponse({ status: 202, description: 'Kept for the device, with persist', standardSchema: SentCommand })
  @ApiResponse({ status: 409, description: 'DEVICE_OFFLINE; COMMAND_ENDED: somebody cancelled it' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT, IDEMPOTENCY_KEY_REUSED' })
  @ApiResponse({ status: 504, description: 'DEVICE_TIMEOUT: it is timed-out' })
  send(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: Id }) id: string,
    @Body({ schema: SendCommand }) request: SendCommand,
    @Headers('idempotency-key') idempotencyKey: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SentCommand> {
    if (request.persist) response.status(202);
    return this.commands.send(caller, id, request, IdempotencyKey.parse(idempotencyKey) ?? null);
  }

  @Get()
  @ApiResponse({ status: 200, description: 'The device’s commands, newest first', standardSchema: CommandPage })
  list(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: Id }) id: string,
    @Query({ schema: CommandsQuery }) query: CommandsQuery,
  ): Promise<Page<CommandView>> {
    return this.commands.list(caller, id, query);
  }

  @Get(':commandId')
  @ApiResponse({ status: 200, description: 'What became of it', standardSchema: CommandView })
  get(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: Id }) id: string,
    @Param('commandId', { schema: Id }) commandId: string,
  ): Promise<CommandView> {
    return this.commands.get(caller, id, commandId);
  }

  @Delete(':commandId')
  @ApiResponse({ status: 200, description: 'Cancelled', standardSchema: CommandView })
  @ApiResponse({ status: 409, description: 'COMMAND_ENDED' })
  cancel(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: Id }) id: string,
    @Param('commandId', { schema: Id }) commandId: string,
  ): Promise<CommandView> {
    return this.commands.cancel(caller, id, commandId);
  }
}
