import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { ApiBasicAuth, ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { DeviceRef } from '#contracts';
import { Public } from '#platform';
import { RateGuard } from '../rate/rate.guard.ts';
import { CallingDevice, DeviceCallerGuard } from './device-caller.guard.ts';
import { PairReply, PairRequest } from './pairing.schemas.ts';
import { Pairing } from './pairing.service.ts';

/** A device announces the keys that an app has given it, for the user of the app to claim it by. */
@ApiTags('provisioning')
@ApiBearerAuth()
@ApiBasicAuth()
@Public()
@UseGuards(RateGuard, DeviceCallerGuard)
@Controller('provisioning/pair')
export class PairingController {
  constructor(@Inject(Pairing) private readonly pairing: Pairing) {}

  @Post()
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The device can be claimed until then', standardSchema: PairReply })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, BAD_CREDENTIALS or TOKEN_EXPIRED' })
  @ApiResponse({ status: 403, description: 'FORBIDDEN or DEVICE_DISABLED' })
  @ApiResponse({ status: 409, description: 'PAIR_KEY_TAKEN; ALREADY_CLAIMED once it was claimed by this key' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'RATE_LIMITED' })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE' })
  announce(
    @CallingDevice() device: DeviceRef,
    @Body({ schema: PairRequest }) request: PairRequest,
  ): Promise<PairReply> {
    return this.pairing.announce(device, request);
  }
}
