import { FailedAttemptsEntity, type Schema } from '#sql';
import { SigningKey } from './keys/signing-key.entity.ts';
import { Users1753000000000 } from './migrations/1753000000000-users.ts';
import { Sessions1753000000001 } from './migrations/1753000000001-sessions.ts';
import { RefreshTokens1753000000002 } from './migrations/1753000000002-refresh-tokens.ts';
import { SigningKeys1753000000003 } from './migrations/1753000000003-signing-keys.ts';
import { FailedAttempts1753000000004 } from './migrations/1753000000004-failed-attempts.ts';
import { RefreshToken } from './sessions/refresh-token.entity.ts';
import { Session } from './sessions/session.entity.ts';
import { User } from './users/user.entity.ts';

/** Everything that auth stores, in the order in which it came to be. */
export const AUTH_SCHEMA: Schema = {
  entities: [User, Session, RefreshToken, SigningKey, FailedAttemptsEntity],
  migrations: [
    Users1753000000000,
    Sessions1753000000001,
    RefreshTokens1753000000002,
    SigningKeys1753000000003,
    FailedAttempts1753000000004,
  ],
};
