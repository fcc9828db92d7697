import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import {
  IssuedProvisioningKey,
  NewProvisioningKey,
  ProvisioningKeyPage,
  ProvisioningKeyQuery,
  type ProvisioningKeyView,
} from './provisioning-key.schemas.ts';
import { ProvisioningKeys } from './provisioning-keys.service.ts';

@ApiTags('provisioning')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@Roles('admin', 'operator')
@Controller('api/provisioning/keys')
export class ProvisioningKeysController {
  constructor(@Inject(ProvisioningKeys) private readonly keys: ProvisioningKeys) {}

  @Post()
  @ApiResponse({ status: 201, description: 'The key, shown this once', standardSchema: IssuedProvisioningKey })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE' })
  issue(
    @Caller() caller: UserPrincipal,
    @Body({ schema: NewProvisioningKey }) wanted: NewProvisioningKey,
  ): Promise<IssuedProvisioningKey> {
    return this.keys.issue(caller, wanted);
  }

  @Get()
  @ApiResponse({
    status: 200,
    description: 'One page of the keys, without their secrets; operators see those of their customer',
    standardSchema: ProvisioningKeyPage,
  })
  list(
    @Caller() caller: UserPrincipal,
    @Query({ schema: ProvisioningKeyQuery }) query: ProvisioningKeyQuery,
  ): Promise<Page<ProvisioningKeyView>> {
    return this.keys.list(caller, query);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'The key lets nobody in any more; devices that it let in stay' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  revoke(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<void> {
    return this.keys.revoke(caller, id);
  }
}
