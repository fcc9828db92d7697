import { Body, Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '#platform';
import { RateGuard } from '../rate/rate.guard.ts';
import {
  DebugProvisioningBody,
  DebugProvisioningQuery,
  DebugProvisioningReply,
  requestedMac,
  type DebugProvisioningRequest,
} from './debug-provisioning.schemas.ts';
import { DebugProvisioningGuard } from './debug-provisioning.guard.ts';
import { DebugProvisioning } from './debug-provisioning.service.ts';

/** The way in for devices under development, as their document has it: a GET with a body. */
@ApiTags('provisioning')
@Public()
@UseGuards(DebugProvisioningGuard, RateGuard)
@Controller('debug/provisioning')
export class DebugProvisioningController {
  constructor(@Inject(DebugProvisioning) private readonly provisioning: DebugProvisioning) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'The access token of the device of that MAC address: the same one every time, until it is revoked',
    standardSchema: DebugProvisioningReply,
  })
  @ApiResponse({ status: 403, description: 'DEBUG_PROVISIONING_OFF' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'RATE_LIMITED' })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE' })
  provision(
    @Body({ schema: DebugProvisioningBody }) body: DebugProvisioningRequest | undefined,
    @Query({ schema: DebugProvisioningQuery }) query: DebugProvisioningRequest,
  ): Promise<DebugProvisioningReply> {
    return this.provisioning.provision(requestedMac(body, query));
  }
}
