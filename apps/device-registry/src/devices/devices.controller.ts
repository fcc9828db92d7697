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
import { Caller } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { tagged } from '#platform';
import { ApiProblems } from '../api-problems.ts';
import { DeviceDocument, DevicePage, DevicePatch, DeviceQuery, DeviceView } from './device.schemas.ts';
import { Devices } from './devices.service.ts';

@ApiTags('devices')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/devices')
export class DevicesController {
  constructor(@Inject(Devices) private readonly devices: Devices) {}

  @Get()
  @ApiResponse({
    status: 200,
    description:
      'One page of the devices that the caller may see. `q`: words that each begin a word of the name or serial, or the MAC address, in any case',
    standardSchema: DevicePage,
  })
  list(@Caller() caller: UserPrincipal, @Query({ schema: DeviceQuery }) query: DeviceQuery): Promise<Page<DeviceView>> {
    return this.devices.list(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'The device', standardSchema: DeviceView })
  @ApiProblems('NOT_FOUND')
  async get(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DeviceView> {
    return tagged(response, await this.devices.get(caller, id));
  }

  @Post()
  @ApiResponse({ status: 201, description: 'Made', standardSchema: DeviceView })
  @ApiProblems('MAC_TAKEN', 'DEVICE_LIMIT_REACHED', 'CONFLICT')
  async create(
    @Caller() caller: UserPrincipal,
    @Body({ schema: DeviceDocument }) document: DeviceDocument,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DeviceView> {
    return tagged(response, await this.devices.create(caller, document));
  }

  @Patch(':id')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the device as it was read' })
  @ApiResponse({ status: 200, description: 'Changed, as JSON merge patch (RFC 7396)', standardSchema: DeviceView })
  @ApiProblems(
    'NOT_FOUND',
    'USER_NOT_FOUND',
    'MAC_TAKEN',
    'DEVICE_LIMIT_REACHED',
    'DEVICE_IN_USE',
    'CONFLICT',
    'VERSION_MISMATCH',
  )
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: DevicePatch }) patch: DevicePatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DeviceView> {
    return tagged(response, await this.devices.change(caller, id, patch, ifMatch));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the device as it was read' })
  @ApiResponse({ status: 204, description: 'Deleted, and its credentials revoked' })
  @ApiProblems('NOT_FOUND', 'DEVICE_IN_USE', 'VERSION_MISMATCH')
  remove(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.devices.remove(caller, id, ifMatch);
  }
}
