import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { ApiProblems } from '../api-problems.ts';
import { People } from './people.service.ts';
import { ShareDocument, ShareList, ShareView } from './share.schemas.ts';

@ApiTags('devices')
@ApiBearerAuth()
@ApiProblems(
  'UNAUTHENTICATED',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
  'FORBIDDEN',
  'NOT_FOUND',
  'INVALID_INPUT',
  'UNAVAILABLE',
)
@Controller('api/devices/:id')
export class PeopleController {
  constructor(@Inject(People) private readonly people: People) {}

  @Get('shares')
  @ApiResponse({
    status: 200,
    description: 'The owner, and everybody whom the device is shared with',
    standardSchema: ShareList,
  })
  list(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<ShareList> {
    return this.people.list(caller, id);
  }

  @Put('shares')
  @ApiResponse({ status: 200, description: 'Shared; again, with another access', standardSchema: ShareView })
  @ApiProblems('USER_NOT_FOUND', 'CONFLICT')
  share(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: ShareDocument }) document: ShareDocument,
  ): Promise<ShareView> {
    return this.people.share(caller, id, document);
  }

  @Delete('shares/:userId')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Not shared any more; everybody may end what was shared with themselves' })
  @ApiProblems('CONFLICT')
  unshare(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Param('userId', { schema: z.uuid() }) userId: string,
  ): Promise<void> {
    return this.people.unshare(caller, id, userId);
  }

  @Post('release')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Given up: the device has no owner, and is shared with nobody' })
  async release(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<void> {
    await this.people.release(caller, id);
  }
}
