import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CodedError, type ChangedUser, type EndedSession, type Revocations as RevocationsMessage } from '#contracts';
import { BUS, Events, RpcClient, type Bus, type Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import type { Claims } from './claims.ts';

/** How often entries are dropped whose tokens have expired by themselves, in ms. */
const SWEEP_MS = 60_000;
/** When to ask again after nobody answered, in ms. */
const RETRY_MS = 1_000;
/** How often it is said that nobody answers, in ms. */
const SAY_AGAIN_MS = 30_000;

/**
 * Logins that ended and users that changed while their access tokens could still be within their time. Heard as events; what
 * was missed before the start, or while the connection was lost, is asked for.
 */
@Injectable()
export class Revocations implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly sessions = new Map<string, EndedSession>();
  private readonly users = new Map<string, ChangedUser>();
  private readonly listeners = new Set<(isRevoked: (claims: Claims) => boolean) => void>();
  private readonly subscriptions: Unsubscribe[] = [];
  private sweeper: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** When it was last said that nobody answers, in ms since the epoch; undefined once somebody did. */
  private saidAt: number | undefined;
  private stopped = false;

  constructor(
    @Inject(Events) private readonly events: Events,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(LOGGER) private readonly log: Log,
  ) {
    this.subscriptions.push(
      this.events.on('auth.session.ended', (session) => {
        this.add({ sessions: [session], users: [] });
      }),
      this.events.on('auth.user.changed', (user) => {
        this.add({ sessions: [], users: [user] });
      }),
    );
  }

  onApplicationBootstrap(): void {
    this.bus.onReconnect(() => void this.catchUp());
    this.sweeper = setInterval(() => {
      this.sweep(Date.now());
    }, SWEEP_MS).unref();
    setImmediate(() => void this.catchUp());
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearInterval(this.sweeper);
    clearTimeout(this.retry);
    for (const unsubscribe of this.subscriptions) unsubscribe();
  }

  /** From here on they count in this process. What is known already, or overtaken by a later change, has no effect. */
  add({ sessions, users }: RevocationsMessage): void {
    const newSessions = sessions.filter(({ sessionId }) => !this.sessions.has(sessionId));
    const newUsers = users.filter(
      ({ userId, validAfter }) => validAfter > (this.users.get(userId)?.validAfter ?? Number.NEGATIVE_INFINITY),
    );
    for (const session of newSessions) this.sessions.set(session.sessionId, session);
    for (const user of newUsers) this.users.set(user.userId, user);
    if (newSessions.length + newUsers.length > 0) this.tellListeners();
  }

  /** Throws `TOKEN_REVOKED` if the token's login ended or its user was changed after it was issued. */
  check(claims: Claims): void {
    if (this.isRevoked(claims)) {
      throw new CodedError(
        'TOKEN_REVOKED',
        'This login has ended or its rights were changed: refresh the token at POST /user/token or log in again.',
      );
    }
  }

  /** Calls back whenever something was revoked, so that living connections can be looked through. */
  onRevoked(look: (isRevoked: (claims: Claims) => boolean) => void): Unsubscribe {
    this.listeners.add(look);
    return () => this.listeners.delete(look);
  }

  private isRevoked(claims: Claims): boolean {
    const changed = this.users.get(claims.sub);
    return this.sessions.has(claims.sid) || (changed !== undefined && claims.at < changed.validAfter);
  }

  private tellListeners(): void {
    for (const look of this.listeners) look((claims) => this.isRevoked(claims));
  }

  private async catchUp(): Promise<void> {
    if (this.stopped) return;
    try {
      this.add(await this.rpc.call('auth.revocations', {}));
      this.sayBack();
    } catch (error) {
      this.tryAgain(error);
    }
  }

  private tryAgain(error: unknown): void {
    if (this.stopped) return;
    this.sayAway(error, Date.now());
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.catchUp(), RETRY_MS).unref();
  }

  private sayAway(error: unknown, now: number): void {
    if (this.saidAt !== undefined && now - this.saidAt < SAY_AGAIN_MS) return;
    this.saidAt = now;
    const reason = error instanceof Error ? error.message : String(error);
    this.log.warn(`logins that were revoked cannot be asked for, trying again every second: ${reason}`);
  }

  private sayBack(): void {
    if (this.saidAt === undefined) return;
    this.saidAt = undefined;
    this.log.info('logins that were revoked are known again');
  }

  private sweep(now: number): void {
    for (const [id, { until }] of this.sessions) if (until < now) this.sessions.delete(id);
    for (const [id, { until }] of this.users) if (until < now) this.users.delete(id);
  }
}
