import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, MoreThan, Not, type Repository } from 'typeorm';
import { Revocations } from '#access';
import type { Revocations as RevocationsMessage } from '#contracts';
import { BUS, Events, type Bus } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { accessTokenMs, AUTH_CONFIG, type AuthConfig } from '../config.ts';
import { User } from '../users/user.entity.ts';
import { Session } from './session.entity.ts';

/** How far the clocks of replicas may differ, in ms. */
const CLOCK_SKEW_MS = 60_000;

/** Tells every service whose access tokens no longer hold. */
@Injectable()
export class Announcer implements OnModuleInit {
  constructor(
    @InjectRepository(Session, 'auth') private readonly sessions: Repository<Session>,
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
    @Inject(Revocations) private readonly revocations: Revocations,
    @Inject(Events) private readonly events: Events,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(CLOCK) private readonly now: Clock,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /** What was told while the connection was lost was heard by nobody: it is told again. */
  onModuleInit(): void {
    this.bus.onReconnect(() => {
      this.current().then(
        (current) => {
          this.announce(current);
        },
        (error: unknown) => {
          this.log.warn({ err: error }, 'what was revoked could not be told again');
        },
      );
    });
  }

  /** To be called after the commit. It counts in this process at once, elsewhere as soon as it is heard. */
  announce(revoked: RevocationsMessage): void {
    this.revocations.add(revoked);
    for (const session of revoked.sessions) this.events.publish('auth.session.ended', session);
    for (const user of revoked.users) this.events.publish('auth.user.changed', user);
  }

  /** Everything revoked that could still be within its time. */
  async current(): Promise<RevocationsMessage> {
    const now = this.now();
    const [sessions, users] = await Promise.all([
      this.sessions.findBy({ endedAt: Not(IsNull()), accessUntil: MoreThan(new Date(now - CLOCK_SKEW_MS)) }),
      this.users.findBy({ tokensValidAfter: MoreThan(new Date(now - accessTokenMs(this.config) - CLOCK_SKEW_MS)) }),
    ]);
    return {
      sessions: sessions.map(endedSession),
      users: users.map((user) => changedUser(user, this.config)),
    };
  }
}

export const endedSession = (session: Session): RevocationsMessage['sessions'][number] => ({
  sessionId: session.id,
  userId: session.userId,
  until: session.accessUntil.getTime() + CLOCK_SKEW_MS,
});

export const changedUser = (user: User, config: AuthConfig): RevocationsMessage['users'][number] => ({
  userId: user.id,
  validAfter: user.tokensValidAfter.getTime(),
  until: user.tokensValidAfter.getTime() + accessTokenMs(config) + CLOCK_SKEW_MS,
});
