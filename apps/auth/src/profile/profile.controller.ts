import { Body, Controller, Get, HttpCode, Inject, Ip, Patch, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { NewPassword, TypedPassword } from '../passwords/password.ts';
import { PersonName } from '../users/person.ts';
import { UserView } from '../users/user-view.ts';
import { Profile } from './profile.ts';

const ProfilePatch = z.strictObject({ name: PersonName.optional() }).meta({ id: 'AuthProfilePatch' });

const PasswordChange = z
  .strictObject({ currentPassword: TypedPassword, newPassword: NewPassword })
  .meta({ id: 'AuthPasswordChange' });

@ApiTags('People')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@Controller('user')
export class ProfileController {
  constructor(@Inject(Profile) private readonly profile: Profile) {}

  @Get('me')
  @ApiResponse({ status: 200, description: 'The caller', standardSchema: UserView })
  me(@Caller() caller: UserPrincipal): Promise<z.output<typeof UserView>> {
    return this.profile.of(caller);
  }

  @Patch('me')
  @ApiResponse({ status: 200, description: 'The caller as changed', standardSchema: UserView })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  change(
    @Caller() caller: UserPrincipal,
    @Body({ schema: ProfilePatch }) patch: z.output<typeof ProfilePatch>,
  ): Promise<z.output<typeof UserView>> {
    return this.profile.change(caller, patch);
  }

  @Post('password')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'The password is changed; all other logins of the caller have ended' })
  @ApiResponse({ status: 401, description: 'BAD_CREDENTIALS: the current password is wrong' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'TOO_MANY_ATTEMPTS, with Retry-After' })
  changePassword(
    @Caller() caller: UserPrincipal,
    @Body({ schema: PasswordChange }) change: z.output<typeof PasswordChange>,
    @Ip() address: string,
  ): Promise<void> {
    return this.profile.changePassword(caller, { ...change, address });
  }
}
