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
import {
  DeviceProfileDocument,
  DeviceProfilePage,
  DeviceProfilePatch,
  DeviceProfileView,
  ProfileDocument,
  ProfilePage,
  ProfilePatch,
  ProfileQuery,
  ProfileView,
} from './profile.schemas.ts';
import { ASSET_PROFILES, DEVICE_PROFILES, Profiles } from './profiles.service.ts';

/** What profiles of one kind look like. */
interface ProfileSchemas {
  document: z.ZodType<ProfileDocument>;
  patch: z.ZodType<ProfilePatch>;
  view: z.ZodType<ProfileView>;
  page: z.ZodType<Page<ProfileView>>;
}

/** The routes of profiles, which those of devices and of assets have alike. */
function profileRoutes(schemas: ProfileSchemas) {
  @ApiBearerAuth()
  @ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
  class ProfileRoutes {
    constructor(readonly profiles: Profiles) {}

    @Get()
    @ApiResponse({ status: 200, description: 'One page; `q` is the beginning of a name', standardSchema: schemas.page })
    list(@Query({ schema: ProfileQuery }) query: ProfileQuery): Promise<Page<ProfileView>> {
      return this.profiles.list(query);
    }

    @Get(':id')
    @ApiResponse({ status: 200, description: 'The profile', standardSchema: schemas.view })
    @ApiProblems('NOT_FOUND')
    async get(
      @Param('id', { schema: z.uuid() }) id: string,
      @Res({ passthrough: true }) response: Response,
    ): Promise<ProfileView> {
      return tagged(response, await this.profiles.get(id));
    }

    @Post()
    @Roles('admin')
    @ApiResponse({ status: 201, description: 'Made', standardSchema: schemas.view })
    @ApiProblems('PROFILE_NAME_TAKEN')
    async create(
      @Caller() caller: UserPrincipal,
      @Body({ schema: schemas.document }) document: ProfileDocument,
      @Res({ passthrough: true }) response: Response,
    ): Promise<ProfileView> {
      return tagged(response, await this.profiles.create(caller, document));
    }

    @Patch(':id')
    @Roles('admin')
    @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the profile as it was read' })
    @ApiResponse({ status: 200, description: 'Changed, as JSON merge patch (RFC 7396)', standardSchema: schemas.view })
    @ApiProblems('NOT_FOUND', 'PROFILE_NAME_TAKEN', 'VERSION_MISMATCH')
    async change(
      @Caller() caller: UserPrincipal,
      @Param('id', { schema: z.uuid() }) id: string,
      @Body({ schema: schemas.patch }) patch: ProfilePatch,
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
  return ProfileRoutes;
}

const OF_DEVICES: ProfileSchemas = {
  document: DeviceProfileDocument,
  patch: DeviceProfilePatch,
  view: DeviceProfileView,
  page: DeviceProfilePage,
};
const OF_ASSETS: ProfileSchemas = {
  document: ProfileDocument,
  patch: ProfilePatch,
  view: ProfileView,
  page: ProfilePage,
};

@ApiTags('device profiles')
@Controller('api/device-profiles')
export class DeviceProfilesController extends profileRoutes(OF_DEVICES) {
  constructor(@Inject(DEVICE_PROFILES) profiles: Profiles) {
    super(profiles);
  }
}

@ApiTags('asset profiles')
@Controller('api/asset-profiles')
export class AssetProfilesController extends profileRoutes(OF_ASSETS) {
  constructor(@Inject(ASSET_PROFILES) profiles: Profiles) {
    super(profiles);
  }
}
