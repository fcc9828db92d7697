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
import { ProfileDocument, ProfilePage, ProfilePatch, ProfileQuery, ProfileView } from './profile.schemas.ts';
import { ASSET_PROFILES, DEVICE_PROFILES, Profiles } from './profiles.service.ts';

/** The routes of profiles, which those of devices and of assets have alike. */
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
class ProfilesController {
  constructor(private readonly profiles: Profiles) {}

  @Get()
  @ApiResponse({ status: 200, description: 'One page; `q` is the beginning of a name', standardSchema: ProfilePage })
  list(@Query({ schema: ProfileQuery }) query: ProfileQuery): Promise<Page<ProfileView>> {
    return this.profiles.list(query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'The profile', standardSchema: ProfileView })
  @ApiProblems('NOT_FOUND')
  async get(
    @Param('id', { schema: z.uuid() }) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ProfileView> {
    return tagged(response, await this.profiles.get(id));
  }

  @Post()
  @Roles('admin')
  @ApiResponse({ status: 201, description: 'Made', standardSchema: ProfileView })
  @ApiProblems('PROFILE_NAME_TAKEN')
  async create(
    @Caller() caller: UserPrincipal,
    @Body({ schema: ProfileDocument }) document: ProfileDocument,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ProfileView> {
    return tagged(response, await this.profiles.create(caller, document));
  }

  @Patch(':id')
  @Roles('admin')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the profile as it was read' })
  @ApiResponse({ status: 200, description: 'Changed, as JSON merge patch (RFC 7396)', standardSchema: ProfileView })
  @ApiProblems('NOT_FOUND', 'PROFILE_NAME_TAKEN', 'VERSION_MISMATCH')
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: ProfilePatch }) patch: ProfilePatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ProfileView> {
    return tagged(response, await this.profiles.change(caller, id, patch, ifMatch));
  }

  @Delete(':id')
  @Roles('admin')
  @HttpCode(204)
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the profile as it was read' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  @ApiProblems('NOT_FOUND', 'PROFILE_IN_USE', 'VERSION_MISMATCH')
  remove(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.profiles.remove(caller, id, ifMatch);
  }
}

@ApiTags('device profiles')
@Controller('api/device-profiles')
export class DeviceProfilesController extends ProfilesController {
  constructor(@Inject(DEVICE_PROFILES) profiles: Profiles) {
    super(profiles);
  }
}

@ApiTags('asset profiles')
@Controller('api/asset-profiles')
export class AssetProfilesController extends ProfilesController {
  constructor(@Inject(ASSET_PROFILES) profiles: Profiles) {
    super(profiles);
  }
}
