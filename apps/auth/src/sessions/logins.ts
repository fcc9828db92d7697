import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { IsNull, Not, type DataSource, type EntityManager, type FindOptionsWhere } from 'typeorm';
import { CodedError, type EndedSession, type UserPrincipal } from '#contracts';
import { CLOCK, uuid7, type Clock } from '#platform';
import { inTransaction, rowLock } from '#sql';
import { AUTH_CONFIG, refreshTokenMs, type AuthConfig } from '../config.ts';
import { AccessTokens } from '../keys/access-tokens.ts';
import { User } from '../users/user.entity.ts';
import { Announcer, endedSession } from './announcer.ts';
import { hashOf, RefreshSecrets } from './refresh-secret.ts';
import { RefreshToken } from './refresh-token.entity.ts';
import { Session } from './session.entity.ts';
import type { TokenPair } from './token-pair.ts';

/** How long a refresh may be repeated by whoever named their attempt, in ms. */
const REPEATABLE_MS = 60_000;

/** What came of presenting a refresh token; a reuse has ended its login. */
type Refreshed = { pair: TokenPair } | { reused: true; ended: EndedSession[] };

/** Logins: opened by a password, kept alive by refreshing, ended for everybody at once. */
@Injectable()
export class Logins {
  private readonly secrets: RefreshSecrets;

  constructor(
    @InjectDataSource('auth') private readonly dataSource: DataSource,
    @Inject(AccessTokens) private readonly accessTokens: AccessTokens,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
  ) {
    this.secrets = new RefreshSecrets(config.SECRET_KEY);
  }

  /** A new login of a user whose password was just checked. Throws `FORBIDDEN` if they are disabled. */
  async open(checked: User, network: string): Promise<TokenPair> {
    return inTransaction(this.dataSource, async (manager) => {
      const user = await lockedAsChecked(manager, checked);
      if (user.disabled) {
        throw new CodedError('FORBIDDEN', 'This account is disabled: ask an administrator to enable it.');
      }
      const at = new Date(this.now());
      const session: Session = {
        id: uuid7(),
        userId: user.id,
        network,
        createdAt: at,
        refreshedAt: at,
        accessUntil: at,
        expiresAt: at,
        endedAt: null,
      };
      await manager.insert(Session, session);
      return this.issue(manager, user, session, { generation: 1, refreshToken: this.secrets.random() });
    });
  }

  /**
   * A new pair for a refresh token, which is used up by it. Throws `UNAUTHENTICATED` for one that is not ours, `TOKEN_EXPIRED`,
   * `TOKEN_REVOKED` when its login has ended, and `REFRESH_REUSED` when it was used before: then its login ends, since one of
   * the two who had it may have stolen it. A client that names its `attempt` may repeat it within a minute, as long as the new
   * refresh token was not used: it gets the same one.
   */
  async refresh(token: string, attempt: string | undefined): Promise<TokenPair> {
    const refreshed = await inTransaction(this.dataSource, (manager) => this.refreshIn(manager, token, attempt));
    if ('pair' in refreshed) return refreshed.pair;
    this.announcer.announce({ sessions: refreshed.ended, users: [] });
    throw new CodedError(
      'REFRESH_REUSED',
      'This refresh token was used before, so its login has ended for safety: log in again at POST /user/login.',
    );
  }

  /** Ends one login. */
  async end({ sessionId, userId }: Pick<UserPrincipal, 'sessionId' | 'userId'>): Promise<void> {
    const ended = await inTransaction(this.dataSource, async (manager) => {
      await lockedUser(manager, userId);
      return this.endWhere(manager, { id: sessionId });
    });
    this.announcer.announce({ sessions: ended, users: [] });
  }

  /** Ends the logins of a user whose row the caller holds, but for one; to be announced after the commit. */
  endAllOf(manager: EntityManager, userId: string, butSessionId?: string): Promise<EndedSession[]> {
    return this.endWhere(manager, { userId, ...(butSessionId === undefined ? {} : { id: Not(butSessionId) }) });
  }

  private async refreshIn(manager: EntityManager, token: string, attempt: string | undefined): Promise<Refreshed> {
    const found = await manager.findOne(RefreshToken, { where: { hash: hashOf(token) }, relations: { session: true } });
    if (!found?.session) {
      throw new CodedError('UNAUTHENTICATED', 'The refresh token is not one of ours: log in at POST /user/login.');
    }
    const user = await lockedUser(manager, found.session.userId);
    const current = await manager.findOneByOrFail(RefreshToken, { id: found.id });
    const session = await manager.findOneByOrFail(Session, { id: found.sessionId });
    if (current.usedAt !== null) return this.repeat(manager, { token, attempt, current, session, user });
    if (session.endedAt !== null || !user) {
      throw new CodedError('TOKEN_REVOKED', 'This login has ended: log in again at POST /user/login.');
    }
    if (current.expiresAt.getTime() <= this.now()) {
      throw new CodedError('TOKEN_EXPIRED', 'The refresh token has expired: log in again at POST /user/login.');
    }
    const refreshToken = attempt === undefined ? this.secrets.random() : this.secrets.successor(token, attempt);
    await manager.update(RefreshToken, { id: current.id }, { usedAt: new Date(this.now()) });
    return { pair: await this.issue(manager, user, session, { generation: current.generation + 1, refreshToken }) };
  }

  private async repeat(manager: EntityManager, presented: Presented): Promise<Refreshed> {
    const refreshToken = await this.repeatable(manager, presented);
    if (refreshToken === undefined || !presented.user) {
      return { reused: true, ended: await this.endWhere(manager, { id: presented.session.id }) };
    }
    const { accessToken, expiresIn } = await this.issueAccess(manager, presented.user, presented.session);
    return { pair: tokenPair(accessToken, expiresIn, refreshToken) };
  }

  /** The successor that was given before, if it may be given again. */
  private async repeatable(manager: EntityManager, presented: Presented): Promise<string | undefined> {
    const { token, attempt, current, session } = presented;
    const age = this.now() - (current.usedAt?.getTime() ?? 0);
    if (attempt === undefined || session.endedAt !== null || age > REPEATABLE_MS) return undefined;
    const refreshToken = this.secrets.successor(token, attempt);
    const given = await manager.existsBy(RefreshToken, {
      hash: hashOf(refreshToken),
      sessionId: session.id,
      usedAt: IsNull(),
    });
    return given ? refreshToken : undefined;
  }

  private async issue(
    manager: EntityManager,
    user: User,
    session: Session,
    next: { generation: number; refreshToken: string },
  ): Promise<TokenPair> {
    const expiresAt = new Date(this.now() + refreshTokenMs(this.config));
    await manager.insert(RefreshToken, {
      id: uuid7(),
      sessionId: session.id,
      generation: next.generation,
      hash: hashOf(next.refreshToken),
      expiresAt,
      usedAt: null,
    });
    await manager.update(Session, { id: session.id }, { expiresAt });
    const { accessToken, expiresIn } = await this.issueAccess(manager, user, session);
    return tokenPair(accessToken, expiresIn, next.refreshToken);
  }

  /** The user's row is locked: a change of their rights comes before this token or after it. */
  private async issueAccess(
    manager: EntityManager,
    user: User,
    session: Session,
  ): Promise<{ accessToken: string; expiresIn: number }> {
    const at = Math.max(this.now(), user.tokensValidAfter.getTime());
    const { token, expiresAt } = this.accessTokens.issue(user, session.id, at);
    await manager.update(Session, { id: session.id }, { refreshedAt: new Date(at), accessUntil: new Date(expiresAt) });
    return { accessToken: token, expiresIn: this.config.ACCESS_TOKEN_SECONDS };
  }

  /** Whoever calls it holds the row of the logins' user. */
  private async endWhere(manager: EntityManager, which: FindOptionsWhere<Session>): Promise<EndedSession[]> {
    const living = { ...which, endedAt: IsNull() };
    const sessions = await manager.findBy(Session, living);
    await manager.update(Session, living, { endedAt: new Date(this.now()) });
    return sessions.map(endedSession);
  }
}

/** A refresh token that was presented, and what is behind it. */
interface Presented {
  token: string;
  attempt: string | undefined;
  current: RefreshToken;
  session: Session;
  user: User | null;
}

/** Whoever changes a user, their logins or their tokens holds the user's row first. */
export const lockedUser = (manager: EntityManager, id: string): Promise<User | null> =>
  manager.findOne(User, { where: { id }, lock: rowLock(manager) });

/** The row of a user whose password was just checked. Throws `BAD_CREDENTIALS` if it was changed since. */
export async function lockedAsChecked(manager: EntityManager, checked: User): Promise<User> {
  const user = await lockedUser(manager, checked.id);
  if (user?.passwordChangedAt.getTime() === checked.passwordChangedAt.getTime()) return user;
  throw new CodedError('BAD_CREDENTIALS', 'The password was changed meanwhile: log in with the new one.');
}

const tokenPair = (accessToken: string, expiresIn: number, refreshToken: string): TokenPair => ({
  token: accessToken,
  accessToken,
  tokenType: 'Bearer',
  expiresIn,
  refreshToken,
});
