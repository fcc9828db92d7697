import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Authenticator } from './authenticator.ts';
import { DeviceCredentials } from './device-credentials.ts';
import { PeoplePassport } from './people-passport.ts';
import { PeopleGuard } from './people.guard.ts';
import { Revocations } from './revocations.ts';
import { TokenVerifier } from './token-verifier.ts';

/** Who is calling: once in every process, with the guard of all its HTTP routes. */
@Global()
@Module({
  providers: [
    Revocations,
    TokenVerifier,
    DeviceCredentials,
    Authenticator,
    PeoplePassport,
    { provide: APP_GUARD, useClass: PeopleGuard },
  ],
  exports: [Revocations, TokenVerifier, DeviceCredentials, Authenticator],
})
export class AccessModule {}
