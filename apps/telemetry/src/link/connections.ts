import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Authenticator, DeviceCredentials, Revocations, type Authenticated, type PresentedCredentials } from '#access';
import { callerIdOf, CodedError, type ErrorBody, type Principal } from '#contracts';
import type { Unsubscribe } from '#messaging';

/** What a connection lets be done to it, whatever its transport is. */
export interface ConnectionEnd {
  /** Its credential ends at `expiresAt` (ms): a new one keeps it. */
  warn(expiresAt: number): void;
  /** Tells the other side why and closes. */
  close(reason: ErrorBody): void;
}

/** How long before its end a credential's end is announced, in ms. */
const WARNING_MS = 60_000;
/** How often the credential of a living connection is looked at again, in ms, in case a revocation was not heard. */
const LOOK_AGAIN_MS = 60_000;
/** Longest time of a timer, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Codes that end a connection when its credential is looked at again; while nobody can tell, it goes on. */
const ENDING = new Set(['UNAUTHENTICATED', 'BAD_CREDENTIALS', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'DEVICE_DISABLED']);

/** A living connection and who is on it. */
export class Connection {
  private timers: NodeJS.Timeout[] = [];

  constructor(
    public authenticated: Authenticated,
    public presented: PresentedCredentials,
    readonly end: ConnectionEnd,
  ) {
    this.schedule();
  }

  get principal(): Principal {
    return this.authenticated.principal;
  }

  /** Goes on with another credential of the same caller. */
  renew(authenticated: Authenticated, presented: PresentedCredentials): void {
    this.authenticated = authenticated;
    this.presented = presented;
    this.schedule();
  }

  /** Stops its timers; the transport closes by itself. */
  forget(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }

  private schedule(): void {
    this.forget();
    const { expiresAt } = this.authenticated;
    if (expiresAt === null) return;
    this.at(expiresAt - WARNING_MS, () => {
      this.end.warn(expiresAt);
    });
    this.at(expiresAt, () => {
      this.end.close({ code: 'TOKEN_EXPIRED', message: 'The token has expired: connect with a new one.' });
    });
  }

  private at(time: number, act: () => void): void {
    const delay = Math.min(Math.max(0, time - Date.now()), LONGEST_TIMER_MS);
    this.timers.push(setTimeout(act, delay).unref());
  }
}

/** Every living connection of this replica: ends them when their credential ends, however it ends. */
@Injectable()
export class Connections implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly living = new Set<Connection>();
  private readonly subscriptions: Unsubscribe[] = [];
  private looking: NodeJS.Timeout | undefined;

  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(DeviceCredentials) private readonly devices: DeviceCredentials,
    @Inject(Revocations) private readonly revocations: Revocations,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.push(
      this.devices.onRevoked(({ deviceId, credentialId }) => {
        this.endWhere(
          ({ principal }) =>
            principal.kind === 'device' &&
            principal.device.id === deviceId &&
            (credentialId === null || principal.credentialId === credentialId),
        );
      }),
      this.revocations.onRevoked((isRevoked) => {
        this.endWhere(({ authenticated }) => 'claims' in authenticated && isRevoked(authenticated.claims));
      }),
    );
    this.looking = setInterval(() => void this.lookAgain(), LOOK_AGAIN_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.looking);
    for (const unsubscribe of this.subscriptions) unsubscribe();
    for (const connection of this.living) connection.forget();
  }

  get count(): number {
    return this.living.size;
  }

  /** Takes in a connection that was authenticated; its credential may have been revoked meanwhile, so it is looked at once more. */
  add(authenticated: Authenticated, presented: PresentedCredentials, end: ConnectionEnd): Connection {
    const connection = new Connection(authenticated, presented, end);
    this.living.add(connection);
    void this.look(connection);
    return connection;
  }

  remove(connection: Connection): void {
    connection.forget();
    this.living.delete(connection);
  }

  /** Goes on with other credentials. Throws if they are not valid, or not the same caller's. */
  async renew(connection: Connection, presented: PresentedCredentials | undefined): Promise<Authenticated> {
    const authenticated = await this.authenticator.authenticate(presented);
    if (callerIdOf(authenticated.principal) !== callerIdOf(connection.principal)) {
      throw new CodedError(
        'FORBIDDEN',
        'These credentials are somebody else’s: open a connection of its own for them.',
      );
    }
    if (presented) connection.renew(authenticated, presented);
    return authenticated;
  }

  private endWhere(matches: (connection: Connection) => boolean): void {
    for (const connection of this.living) {
      if (matches(connection)) {
        connection.end.close({ code: 'TOKEN_REVOKED', message: 'The credential was revoked: connect with a new one.' });
      }
    }
  }

  private async lookAgain(): Promise<void> {
    for (const connection of [...this.living]) await this.look(connection);
  }

  private async look(connection: Connection): Promise<void> {
    try {
      await this.authenticator.authenticate(connection.presented);
    } catch (error) {
      if (error instanceof CodedError && ENDING.has(error.code)) connection.end.close(error.toBody());
    }
  }
}
