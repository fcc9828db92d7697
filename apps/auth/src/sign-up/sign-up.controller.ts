import { Body, Controller, Inject, Ip, Post } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Public } from '#platform';
import { SignUp, SignedUp, SignUpRequest } from './sign-up.ts';

@ApiTags('People')
@Controller('user')
export class SignUpController {
  constructor(@Inject(SignUp) private readonly signUps: SignUp) {}

  @Post('signup')
  @Public()
  @ApiResponse({ status: 201, description: 'The new user', standardSchema: SignedUp })
  @ApiResponse({ status: 403, description: 'SIGNUP_CLOSED: administrators make users here' })
  @ApiResponse({ status: 409, description: 'EMAIL_TAKEN: log in instead' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  @ApiResponse({ status: 429, description: 'TOO_MANY_ATTEMPTS, with Retry-After' })
  signUp(
    @Body({ schema: SignUpRequest }) body: z.output<typeof SignUpRequest>,
    @Ip() address: string,
  ): Promise<z.output<typeof SignedUp>> {
    return this.signUps.signUp(body, address);
  }
}
