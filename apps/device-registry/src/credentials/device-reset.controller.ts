import { Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { ApiProblems } from '../api-problems.ts';
import { DeviceReset } from './device-reset.ts';

@ApiTags('devices')
@ApiBearerAuth()
@Controller('api/devices/:id/reset')
export class DeviceResetController {
  constructor(@Inject(DeviceReset) private readonly resets: DeviceReset) {}

  @Post()
  @HttpCode(204)
  @ApiResponse({
    status: 204,
    description:
      'The way back: all its credentials and connections have ended, and it may register again; owner, readings and history stay',
  })
  @ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'NOT_FOUND', 'INVALID_INPUT', 'UNAVAILABLE')
  reset(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<void> {
    return this.resets.reset(caller, id);
  }
}
