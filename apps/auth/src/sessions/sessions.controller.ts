import { Body, Controller, Header, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { Revocations, UserPrincipal } from '#contracts';
import { Rpc } from '#messaging';
import { Public } from '#platform';
import { Announcer } from './announcer.ts';
import { Logins } from './logins.ts';
import { TokenPair } from './token-pair.ts';

const RefreshRequest = z.strictObject({ refreshToken: z.string().min(1).max(512) }).meta({ id: 'AuthRefreshRequest' });

/** Names one attempt of a client, which repeats it when the reply got lost. Long enough that nobody guesses it. */
const RefreshHeaders = z.object({ 'Idempotency-Key': z.string().min(16).max(128).optional() });

@ApiTags('People')
@Controller('user')
export class SessionsController {
  constructor(
    @Inject(Logins) private readonly logins: Logins,
    @Inject(Announcer) private readonly announcer: Announcer,
  ) {}

  @Post('token')
  @Public()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: '16 to 128 random characters: repeated with the same one within a minute, the reply is the same',
  })
  @ApiResponse({ status: 200, description: 'A new pair; the refresh token is used up', standardSchema: TokenPair })
  @ApiResponse({
    status: 401,
    description:
      'UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED, or REFRESH_REUSED when it was used before: the login has ended. Log in again',
  })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  async refresh(
    @Body({ schema: RefreshRequest }) body: z.output<typeof RefreshRequest>,
    @Headers('idempotency-key') idempotencyKey: string | undefined,
  ): Promise<TokenPair> {
    const headers = RefreshHeaders.parse({ 'Idempotency-Key': idempotencyKey });
    return this.logins.refresh(body.refreshToken, headers['Idempotency-Key']);
  }

  @Post('logout')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiResponse({ status: 204, description: "The login's tokens stop working everywhere" })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
  logOut(@Caller() caller: UserPrincipal): Promise<void> {
    return this.logins.end(caller);
  }

  @Rpc('auth.revocations')
  revocations(): Promise<Revocations> {
    return this.announcer.current();
  }
}
