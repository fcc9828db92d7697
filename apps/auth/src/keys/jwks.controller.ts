import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Jwks } from '#contracts';
import { Rpc } from '#messaging';
import { Public } from '#platform';
import { KeyRing } from './key-ring.ts';

@ApiTags('People')
@Controller('.well-known')
export class JwksController {
  constructor(@Inject(KeyRing) private readonly keys: KeyRing) {}

  @Get('jwks.json')
  @Public()
  @Header('Cache-Control', 'public, max-age=600')
  @ApiResponse({ status: 200, description: 'The public keys of access tokens (RFC 7517)', standardSchema: Jwks })
  jwks(): z.output<typeof Jwks> {
    return this.keys.jwks();
  }

  @Rpc('auth.jwks')
  jwksForServices(): z.output<typeof Jwks> {
    return this.keys.jwks();
  }
}
