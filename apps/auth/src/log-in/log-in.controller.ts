import { Body, Controller, Header, HttpCode, Inject, Ip, Post } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { networkOf, Public } from '#platform';
import { PasswordCheck } from '../passwords/password-check.ts';
import { TypedPassword } from '../passwords/password.ts';
import { Logins } from '../sessions/logins.ts';
import { TokenPair } from '../sessions/token-pair.ts';
import { TypedEmail } from '../users/person.ts';

const LogInRequest = z.strictObject({ email: TypedEmail, password: TypedPassword }).meta({ id: 'AuthLogInRequest' });

@ApiTags('People')
@Controller('user')
export class LogInController {
  constructor(
    @Inject(PasswordCheck) private readonly passwords: PasswordCheck,
    @Inject(Logins) private readonly logins: Logins,
  ) {}

  @Post('login')
  @Public()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiResponse({ status: 200, description: 'A new login', standardSchema: TokenPair })
  @ApiResponse({ status: 401, description: 'BAD_CREDENTIALS: the email or the password is wrong' })
  @ApiResponse({ status: 403, description: 'FORBIDDEN: the account is disabled' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'TOO_MANY_ATTEMPTS, with Retry-After' })
  async logIn(
    @Body({ schema: LogInRequest }) body: z.output<typeof LogInRequest>,
    @Ip() address: string,
  ): Promise<TokenPair> {
    const user = await this.passwords.check({ ...body, address });
    return this.logins.open(user, networkOf(address));
  }
}
