import { Module, type DynamicModule } from '@nestjs/common';
import { CLOCK, type Clock } from '#platform';
import { attemptsIn, SqlModule } from '#sql';
import { AUTH_CONFIG, type AuthConfig } from './config.ts';
import { FirstAdministrator } from './first-administrator/first-administrator.ts';
import { Housekeeping } from './housekeeping/housekeeping.ts';
import { AccessTokens } from './keys/access-tokens.ts';
import { JwksController } from './keys/jwks.controller.ts';
import { KeyRing } from './keys/key-ring.ts';
import { LogInController } from './log-in/log-in.controller.ts';
import { PasswordCheck } from './passwords/password-check.ts';
import { Passwords } from './passwords/passwords.ts';
import { ProfileController } from './profile/profile.controller.ts';
import { Profile } from './profile/profile.ts';
import { AUTH_SCHEMA } from './schema.ts';
import { Announcer } from './sessions/announcer.ts';
import { Logins } from './sessions/logins.ts';
import { SessionsController } from './sessions/sessions.controller.ts';
import { SignUpController } from './sign-up/sign-up.controller.ts';
import { SignUp } from './sign-up/sign-up.ts';
import { CustomerDirectory } from './users/customer-directory.ts';
import { UserChanges } from './users/user-changes.ts';
import { UserList } from './users/user-list.ts';
import { UsersController } from './users/users.controller.ts';

/** People: who they are, their logins, and the keys of their access tokens. */
@Module({})
export class AuthModule {
  static register(config: AuthConfig, now: Clock = Date.now): DynamicModule {
    return {
      module: AuthModule,
      imports: [SqlModule.forSchema('auth', config.DATABASE_URL, AUTH_SCHEMA)],
      controllers: [
        SignUpController,
        LogInController,
        SessionsController,
        ProfileController,
        UsersController,
        JwksController,
      ],
      providers: [
        { provide: AUTH_CONFIG, useValue: config },
        { provide: CLOCK, useValue: now },
        Passwords,
        attemptsIn('auth', 'Logins that are open go on working.'),
        PasswordCheck,
        KeyRing,
        AccessTokens,
        Announcer,
        Logins,
        SignUp,
        Profile,
        CustomerDirectory,
        UserList,
        UserChanges,
        FirstAdministrator,
        Housekeeping,
      ],
      exports: [FirstAdministrator],
    };
  }
}
