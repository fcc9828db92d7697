import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { ApiProblems } from '../api-problems.ts';
import { RelationDocument, RelationPage, RelationQuery, RelationView } from './relation.schemas.ts';
import { Relations } from './relations.service.ts';

@ApiTags('relations')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/relations')
@Roles('admin', 'operator')
export class RelationsController {
  constructor(@Inject(Relations) private readonly relations: Relations) {}

  @Get()
  @ApiResponse({ status: 200, description: 'One page, in the order of creation', standardSchema: RelationPage })
  list(
    @Caller() caller: UserPrincipal,
    @Query({ schema: RelationQuery }) query: RelationQuery,
  ): Promise<Page<RelationView>> {
    return this.relations.list(caller, query);
  }

  @Post()
  @ApiResponse({ status: 201, description: 'Made', standardSchema: RelationView })
  @ApiProblems('RELATION_EXISTS', 'RELATION_CYCLE')
  create(
    @Caller() caller: UserPrincipal,
    @Body({ schema: RelationDocument }) document: RelationDocument,
  ): Promise<RelationView> {
    return this.relations.create(caller, document);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Ended' })
  @ApiProblems('NOT_FOUND')
  remove(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<void> {
    return this.relations.remove(caller, id);
  }
}
