import { Body, Controller, Delete, HttpCode, Inject, Ip, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { NamedClaimReply, NamedClaimRefusal, NamedClaimRequest } from './named-claim.schemas.ts';
import { NamedClaims } from './named-claims.service.ts';

const DeviceName = z.string().min(1).max(128);

/** Claims as ThingsBoard's REST API has them: by the name of a device and the secret that it announced. */
@ApiTags('provisioning')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/customer/device/:deviceName/claim')
export class NamedClaimsController {
  constructor(@Inject(NamedClaims) private readonly claims: NamedClaims) {}

  @Post()
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The device, which is theirs now', standardSchema: NamedClaimReply })
  @ApiResponse({
    status: 400,
    description: '"FAILURE": none waits with that name and secret (any more); "CLAIMED": it has an owner',
    standardSchema: NamedClaimRefusal,
  })
  @ApiResponse({ status: 429, description: 'TOO_MANY_ATTEMPTS, with Retry-After' })
  async claim(
    @Caller() caller: UserPrincipal,
    @Ip() address: string | undefined,
    @Param('deviceName', { schema: DeviceName }) name: string,
    @Body({ schema: NamedClaimRequest }) { secretKey }: NamedClaimRequest,
    @Res() response: Response,
  ): Promise<void> {
    const outcome = await this.claims.claim(caller, address ?? '', name, secretKey);
    response.status(typeof outcome === 'string' ? 400 : 200).json(outcome);
  }

  @Delete()
  @HttpCode(200)
  @ApiResponse({ status: 200, description: "Given up: the caller's own device of that name has no owner any more" })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'CONFLICT: they own several devices of that name' })
  release(@Caller() caller: UserPrincipal, @Param('deviceName', { schema: DeviceName }) name: string): Promise<void> {
    return this.claims.release(caller, name);
  }
}
