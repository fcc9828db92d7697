import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { PassportModule } from '@nestjs/passport';
import { Authenticator } from './authenticator.ts';
import { DeviceCredentials } from './device-credentials.ts';
import { PeopleGuard, PeopleStrategy } from './people.guard.ts';
import { Revocations } from './revocations.ts';
import { TokenVerifier } from './token-verifier.ts';

/** Who is calling: once in every process, with the guard of all its HTTP routes. */
@Global()
@Module({
  imports: [PassportModule.register({ session: false })],
  providers: [
    Revocations,
    TokenVerifier,
    DeviceCredentials,
    Authenticator,
    PeopleStrategy,
    { provide: APP_GUARD, useClass: PeopleGuard },
  ],
  exports: [Revocations, TokenVerifier, DeviceCredentials, Authenticator],
})
export class AccessModule {}
