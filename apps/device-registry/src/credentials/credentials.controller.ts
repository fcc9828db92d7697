import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { ApiProblems } from '../api-problems.ts';
import { CredentialList, IssuedCredential, NewCredential, Rotation } from './credential.schemas.ts';
import { Credentials } from './credentials.service.ts';

@ApiTags('devices')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'NOT_FOUND', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/devices/:id/credentials')
export class CredentialsController {
  constructor(@Inject(Credentials) private readonly credentials: Credentials) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'Which credentials there are, without secrets',
    standardSchema: CredentialList,
  })
  list(@Caller() caller: UserPrincipal, @Param('id', { schema: z.uuid() }) id: string): Promise<CredentialList> {
    return this.credentials.list(caller, id);
  }

  @Post()
  @ApiResponse({
    status: 201,
    description:
      'A new access token, password or JSON web token, shown this once; or what an MQTT client or a certificate is let in by',
    standardSchema: IssuedCredential,
  })
  @ApiProblems('CREDENTIAL_LIMIT_REACHED', 'CONFLICT')
  issue(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: NewCredential }) wanted: NewCredential,
  ): Promise<IssuedCredential> {
    return this.credentials.issue(caller, id, wanted);
  }

  @Post(':credentialId/rotate')
  @ApiResponse({
    status: 201,
    description: 'The successor, shown this once; the old credential ends now or after the overlap',
    standardSchema: IssuedCredential,
  })
  @ApiProblems('CREDENTIAL_LIMIT_REACHED', 'CONFLICT')
  rotate(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Param('credentialId', { schema: z.uuid() }) credentialId: string,
    @Body({ schema: Rotation }) rotation: Rotation,
  ): Promise<IssuedCredential> {
    return this.credentials.rotate(caller, id, credentialId, rotation);
  }

  @Delete(':credentialId')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Revoked: it and its connections end at once' })
  revoke(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Param('credentialId', { schema: z.uuid() }) credentialId: string,
  ): Promise<void> {
    return this.credentials.revoke(caller, id, credentialId);
  }
}
