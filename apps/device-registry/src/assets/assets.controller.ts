import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { tagged } from '#platform';
import { ApiProblems } from '../api-problems.ts';
import { AssetRelationsQuery, RelationPage, type RelationView } from '../relations/relation.schemas.ts';
import { Relations } from '../relations/relations.service.ts';
import {
  AssetDocument,
  AssetPage,
  AssetPatch,
  AssetQuery,
  AssetTree,
  AssetTreeQuery,
  AssetView,
} from './asset.schemas.ts';
import { Assets } from './assets.service.ts';

@ApiTags('assets')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/assets')
@Roles('admin', 'operator')
export class AssetsController {
  constructor(
    @Inject(Assets) private readonly assets: Assets,
    @Inject(Relations) private readonly relations: Relations,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'One page; `q` is the beginning of a name', standardSchema: AssetPage })
  list(@Caller() caller: UserPrincipal, @Query({ schema: AssetQuery }) query: AssetQuery): Promise<Page<AssetView>> {
    return this.assets.list(caller, query);
  }

  @Get('tree')
  @ApiResponse({
    status: 200,
    description:
      'What contains what, from one asset or from all that nothing contains; at most 10,000 assets and 10,000 devices',
    standardSchema: AssetTree,
  })
  @ApiProblems('NOT_FOUND')
  tree(@Caller() caller: UserPrincipal, @Query({ schema: AssetTreeQuery }) query: AssetTreeQuery): Promise<AssetTree> {
    return this.assets.tree(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'The asset', standardSchema: AssetView })
  @ApiProblems('NOT_FOUND')
  async get(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AssetView> {
    return tagged(response, await this.assets.get(caller, id));
  }

  @Get(':id/relations')
  @ApiResponse({
    status: 200,
    description: 'One page of the relations that lead from the asset, or to it',
    standardSchema: RelationPage,
  })
  @ApiProblems('NOT_FOUND')
  relationsOf(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Query({ schema: AssetRelationsQuery }) query: AssetRelationsQuery,
  ): Promise<Page<RelationView>> {
    return this.relations.ofAsset(caller, id, query);
  }

  @Post()
  @ApiResponse({ status: 201, description: 'Made', standardSchema: AssetView })
  async create(
    @Caller() caller: UserPrincipal,
    @Body({ schema: AssetDocument }) document: AssetDocument,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AssetView> {
    return tagged(response, await this.assets.create(caller, document));
  }

  @Patch(':id')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the asset as it was read' })
  @ApiResponse({ status: 200, description: 'Changed, as JSON merge patch (RFC 7396)', standardSchema: AssetView })
  @ApiProblems('NOT_FOUND', 'STILL_RELATED', 'VERSION_MISMATCH')
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: AssetPatch }) patch: AssetPatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AssetView> {
    return tagged(response, await this.assets.change(caller, id, patch, ifMatch));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the asset as it was read' })
  @ApiResponse({ status: 204, description: 'Deleted, and its relations ended' })
  @ApiProblems('NOT_FOUND', 'ASSET_IN_USE', 'VERSION_MISMATCH')
  remove(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.assets.remove(caller, id, ifMatch);
  }
}
