import { Body, Controller, Inject, Ip, Post, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Public } from '#platform';
import { RateGuard } from '../rate/rate.guard.ts';
import { CallingProvisioner, ProvisionerGuard, type Provisioner } from './provisioner.ts';
import { ProvisionReply, ProvisionRequest } from './zero-touch.schemas.ts';
import { ZeroTouch } from './zero-touch.service.ts';

/** One call by which a device, new or known, gets its place in country and state, and its token. */
@ApiTags('provisioning')
@ApiBearerAuth()
@Public()
@UseGuards(RateGuard, ProvisionerGuard)
@Controller('api/provision')
export class ZeroTouchController {
  constructor(@Inject(ZeroTouch) private readonly zeroTouch: ZeroTouch) {}

  @Post()
  @ApiResponse({ status: 200, description: 'The device was known', standardSchema: ProvisionReply })
  @ApiResponse({ status: 201, description: 'The device is new', standardSchema: ProvisionReply })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, BAD_CREDENTIALS, TOKEN_EXPIRED or TOKEN_REVOKED' })
  @ApiResponse({ status: 403, description: 'FORBIDDEN, PROVISIONING_KEY_USED_UP or DEVICE_DISABLED' })
  @ApiResponse({ status: 404, description: 'PROFILE_NOT_FOUND' })
  @ApiResponse({
    status: 409,
    description: 'DEVICE_MISMATCH, DEVICE_LIMIT_REACHED, CREDENTIAL_LIMIT_REACHED or RELATION_CYCLE',
  })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'RATE_LIMITED' })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE' })
  async provision(
    @CallingProvisioner() provisioner: Provisioner,
    @Ip() address: string | undefined,
    @Body({ schema: ProvisionRequest }) request: ProvisionRequest,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ProvisionReply> {
    const reply = await this.zeroTouch.provision(provisioner, address ?? '', request);
    response.status(reply.created ? 201 : 200);
    return reply;
  }
}
