import { Body, Controller, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import { RolloutView, type Page, type UserPrincipal } from '#contracts';
import { RolloutBody, RolloutPage, RolloutPatch, RolloutQuery } from './firmware.schemas.ts';
import { Rollouts } from './rollouts.service.ts';

const RolloutId = z.uuid();

/** Packages for a share of a profile's devices. */
@ApiTags('Firmware')
@ApiBearerAuth()
@Roles('admin', 'operator')
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/firmware/rollouts')
export class RolloutsController {
  constructor(@Inject(Rollouts) private readonly rollouts: Rollouts) {}

  @Post()
  @ApiResponse({
    status: 201,
    description: 'It has begun. An operator’s goes to the devices of their customer',
    standardSchema: RolloutView,
  })
  @ApiResponse({ status: 404, description: 'NOT_FOUND: no such package among those that the caller may use' })
  start(@Caller() caller: UserPrincipal, @Body({ schema: RolloutBody }) body: RolloutBody): Promise<RolloutView> {
    return this.rollouts.start(caller, body);
  }

  @Get()
  @ApiResponse({ status: 200, description: 'Those that the caller may see, newest first', standardSchema: RolloutPage })
  list(
    @Caller() caller: UserPrincipal,
    @Query({ schema: RolloutQuery }) query: RolloutQuery,
  ): Promise<Page<RolloutView>> {
    return this.rollouts.list(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'How far it is', standardSchema: RolloutView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  get(@Caller() caller: UserPrincipal, @Param('id', { schema: RolloutId }) id: string): Promise<RolloutView> {
    return this.rollouts.get(caller, id);
  }

  @Patch(':id')
  @ApiResponse({ status: 200, description: 'More devices get it', standardSchema: RolloutView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'ROLLOUT_ENDED, or CONFLICT for a smaller share' })
  raise(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: RolloutId }) id: string,
    @Body({ schema: RolloutPatch }) { percent }: RolloutPatch,
  ): Promise<RolloutView> {
    return this.rollouts.raise(caller, id, percent);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiResponse({
    status: 200,
    description: 'Nobody gets it any more, and devices that have not begun lose it',
    standardSchema: RolloutView,
  })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'ROLLOUT_ENDED' })
  cancel(@Caller() caller: UserPrincipal, @Param('id', { schema: RolloutId }) id: string): Promise<RolloutView> {
    return this.rollouts.cancel(caller, id);
  }
}
