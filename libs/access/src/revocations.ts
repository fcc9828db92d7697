import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CodedError, type ChangedUser, type EndedSession } from '#contracts';
import { BUS, Events, RpcClient, type Bus, type Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import type { Claims } from './claims.ts';

/** How often entries are dropped whose tokens have expired by themselves, in ms. */
const SWEEP_MS = 60_000;

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

  constructor(
    @Inject(Events) private readonly events: Events,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(LOGGER) private readonly log: Log,
  ) {
    this.subscriptions.push(
      this.events.on('auth.session.ended', (session) => {
        this.sessions.set(session.sessionId, session);
        this.tellListeners();
      }),
      this.events.on('auth.user.changed', (user) => {
        this.users.set(user.userId, user);
        this.tellListeners();
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
    clearInterval(this.sweeper);
    for (const unsubscribe of this.subscriptions) unsubscribe();
  }

  /** Throws `TOKEN_REVOKED` if the token's login ended or its user was changed after it was issued. */
  check(claims: Claims): void {
    if (this.isRevoked(claims)) {
      throw new CodedError(
        'TOKEN_REVOKED',
        'This login has ended or its rights were changed: log in again or refresh the token.',
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
    try {
      const { sessions, users } = await this.rpc.call('auth.revocations', {});
      for (const session of sessions) this.sessions.set(session.sessionId, session);
      for (const user of users) this.users.set(user.userId, user);
      this.tellListeners();
    } catch (error) {
      this.log.warn({ err: error }, 'revoked logins could not be asked for; trying again');
      setTimeout(() => void this.catchUp(), 1_000).unref();
    }
  }

  private sweep(now: number): void {
    for (const [id, { until }] of this.sessions) if (until < now) this.sessions.delete(id);
    for (const [id, { until }] of this.users) if (until < now) this.users.delete(id);
  }
}
