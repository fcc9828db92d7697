import { Body, Controller, HttpCode, Inject, Ip, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { DeviceView, deviceView } from '../device-view.ts';
import { Claims } from './claims.service.ts';
import { ClaimRequest } from './pairing.schemas.ts';

/** A person claims a device that waits for them. */
@ApiTags('provisioning')
@ApiBearerAuth()
@Controller('api/claims')
export class ClaimsController {
  constructor(@Inject(Claims) private readonly claims: Claims) {}

  @Post()
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The device, which is theirs now', standardSchema: DeviceView })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
  @ApiResponse({ status: 404, description: 'PAIR_KEY_UNKNOWN' })
  @ApiResponse({ status: 409, description: 'ALREADY_CLAIMED or OWN_DEVICE' })
  @ApiResponse({ status: 410, description: 'PAIR_KEY_EXPIRED' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'TOO_MANY_ATTEMPTS, with Retry-After' })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE' })
  async claim(
    @Caller() caller: UserPrincipal,
    @Ip() address: string | undefined,
    @Body({ schema: ClaimRequest }) request: ClaimRequest,
  ): Promise<DeviceView> {
    return deviceView(await this.claims.claim(caller, address ?? '', request));
  }
}
