import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { FirmwareView, UserPrincipal } from '#contracts';
import { Assignments } from './assignments.service.ts';
import { AssignBody, DeviceFirmwareReply, KindQuery } from './firmware.schemas.ts';

const DeviceId = z.uuid();

/** What a device is to have. */
@ApiTags('Firmware')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 404, description: 'NOT_FOUND: no such device among the caller’s' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/devices/:id/firmware')
export class AssignmentsController {
  constructor(@Inject(Assignments) private readonly assignments: Assignments) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'The packages that the device is to have, and how far it is with them',
    standardSchema: DeviceFirmwareReply,
  })
  of(@Caller() caller: UserPrincipal, @Param('id', { schema: DeviceId }) id: string): Promise<FirmwareView[]> {
    return this.assignments.of(caller, id);
  }

  @Put()
  @ApiResponse({
    status: 200,
    description: 'Assigned: the device is told now, or when it connects. Again after a failure, it is told again',
    standardSchema: DeviceFirmwareReply,
  })
  @ApiResponse({ status: 403, description: 'FORBIDDEN: the caller may not manage the device' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND: no such device, or no package that it may have' })
  assign(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Body({ schema: AssignBody }) { package: packageId }: AssignBody,
  ): Promise<FirmwareView[]> {
    return this.assignments.assign(caller, id, packageId);
  }

  @Delete()
  @HttpCode(204)
  @ApiResponse({
    status: 204,
    description: 'The device is to have none of that kind; rollouts that go on leave it alone',
  })
  @ApiResponse({ status: 403, description: 'FORBIDDEN: the caller may not manage the device' })
  unassign(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Query({ schema: KindQuery }) { kind }: KindQuery,
  ): Promise<void> {
    return this.assignments.unassign(caller, id, kind);
  }
}
