import { CodedError, type ReadingInput } from '#contracts';
import { Manager, type Socket } from 'socket.io-client';
import { type Trouble, readRefreshAnswer, readTrouble } from '../answers.ts';
import { type BackoffOptions, atLeast, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { isCredentialCode, isFinal, retryAfterOf } from '../refusal.ts';
import { type Credentials, tokenOf } from './credentials.ts';

interface FromPlatform {
  'auth:expiring': (info: unknown) => void;
}

interface ToPlatform {
  readings: (readings: readonly ReadingInput[], batch: { batchId: string }, ack: (answer: unknown) => void) => void;
  'auth:refresh': (refresh: { token: string }, ack: (answer: unknown) => void) => void;
}

/** What a connection tells. */
export interface ConnectionListener {
  up(): void;
  down(reason: string): void;
  /** No connection could be made; the next attempt is `retryInMs` away. */
  failed(failure: { message: string; retryInMs: number }): void;
  /** The credentials are refused, or there are none to be had. */
  authError(trouble: Trouble): void;
}

export interface ConnectionOptions {
  url: string;
  credentials: Credentials;
  transports: ('websocket' | 'polling')[];
  connectTimeoutMs: number;
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
}

/** A connection that lasted this long without a receipt counts as a good one all the same. */
const STEADY_MS = 10_000;

/**
 * Stays connected to the namespace `/telemetry`. Reconnecting is done here and not by socket.io, whose own way does not come back after
 * a refusal and jitters around the exponential delay instead of over all of it.
 */
export class Connection {
  private readonly socket: Socket<FromPlatform, ToPlatform>;
  private started = false;
  private attempts = 0;
  private renewed = false;
  private connectedAt = 0;
  private cancelRetry: (() => void) | undefined;
  private askedToWait = false;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly listener: ConnectionListener,
  ) {
    this.socket = this.createSocket();
    this.socket.on('connect', () => this.onConnect());
    this.socket.on('disconnect', (reason) => this.onDisconnect(reason));
    this.socket.on('connect_error', (error) => void this.onRefused(error));
    this.socket.on('auth:expiring', () => void this.refresh());
  }

  start(): void {
    if (this.started) return;
    this.started = true;
    void this.attempt();
  }

  stop(): void {
    this.started = false;
    this.cancelRetry?.();
    this.cancelRetry = undefined;
    this.socket.disconnect();
  }

  /** Drops a connection on which nothing comes back any more, and makes another. */
  restart(): void {
    this.socket.disconnect();
  }

  /** Somebody waits: tries at once, unless the platform said when to come back. */
  hurry(): void {
    if (!this.cancelRetry || this.askedToWait) return;
    this.cancelRetry();
    this.attempts = 0;
    this.retry();
  }

  /** The connection works: the next one that is lost is sought anew without delay. */
  proven(): void {
    this.attempts = 0;
  }

  /** The platform refuses what is sent with the current credentials: renews them, or tells that it cannot. */
  async reauthenticate(trouble: Trouble): Promise<void> {
    if (this.options.credentials.canRenew) await this.refresh();
    else this.listener.authError(trouble);
  }

  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: (answer: unknown) => void): void {
    this.socket.emit('readings', readings, { batchId }, answered);
  }

  private createSocket(): Socket<FromPlatform, ToPlatform> {
    const { url, transports, connectTimeoutMs, credentials } = this.options;
    const { origin, pathname } = new URL(url);
    const manager = new Manager<FromPlatform, ToPlatform>(origin, {
      path: `${pathname.replace(/\/$/, '')}/socket.io`,
      transports,
      tryAllTransports: true,
      timeout: connectTimeoutMs,
      reconnection: false,
      autoConnect: false,
    });
    return manager.socket('/telemetry', { auth: (give) => give({ ...credentials.latest }) });
  }

  private async attempt(): Promise<void> {
    try {
      await this.options.credentials.get();
    } catch (error) {
      this.onNoCredentials(error);
      return;
    }
    if (this.started) this.socket.connect();
  }

  private onConnect(): void {
    this.renewed = false;
    this.connectedAt = this.options.clock.now();
    this.listener.up();
  }

  private onDisconnect(reason: string): void {
    if (this.options.clock.now() - this.connectedAt >= STEADY_MS) this.attempts = 0;
    this.listener.down(reason);
    this.retryLater();
  }

  private async onRefused(error: Error): Promise<void> {
    const trouble = readTrouble(error);
    if (!trouble) this.fail(`No connection to ${this.options.url}: ${error.message}.`);
    else if (isCredentialCode(trouble.code)) await this.onCredentialsRefused(trouble);
    else this.fail(`${trouble.code}: ${trouble.message}`, trouble.retryAfterMs);
  }

  /** Refused credentials are renewed once and tried at once; refused again, it is a matter for people, and tried from time to time. */
  private async onCredentialsRefused(trouble: Trouble): Promise<void> {
    const renewable = this.options.credentials.canRenew && !this.renewed;
    this.renewed = renewable;
    if (!renewable) {
      this.listener.authError(trouble);
      this.retryLater(trouble.retryAfterMs);
      return;
    }
    try {
      await this.options.credentials.renew();
    } catch (error) {
      this.renewed = false;
      this.onNoCredentials(error);
      return;
    }
    if (this.started) this.socket.connect();
  }

  private onNoCredentials(error: unknown): void {
    if (isFinal(error)) {
      this.listener.authError(troubleOf(error));
      this.retryLater(retryAfterOf(error));
    } else {
      this.fail(error instanceof Error ? error.message : String(error), retryAfterOf(error));
    }
  }

  /** Gives the living connection a new token before the old one ends; other credentials are shown with a new connection. */
  private async refresh(): Promise<void> {
    if (!this.options.credentials.canRenew) {
      this.listener.authError({
        code: 'TOKEN_EXPIRED',
        message: 'The token ends soon and there is no getToken to renew it.',
      });
      return;
    }
    try {
      const token = tokenOf(await this.options.credentials.renew());
      if (token === undefined) this.restart();
      else this.socket.emit('auth:refresh', { token }, (answer) => this.onRefreshed(answer));
    } catch (error) {
      this.onRefreshFailed(error);
    }
  }

  private onRefreshed(value: unknown): void {
    const answer = readRefreshAnswer(value);
    if (!answer.ok) this.listener.authError(answer);
  }

  /** The platform closes the connection when the token ends; what follows is said then, with the next attempt. */
  private onRefreshFailed(error: unknown): void {
    if (isFinal(error)) this.listener.authError(troubleOf(error));
  }

  private fail(message: string, retryAfterMs?: number): void {
    const retryInMs = this.retryLater(retryAfterMs);
    if (this.started) this.listener.failed({ message, retryInMs });
  }

  private retry(): void {
    this.cancelRetry = undefined;
    void this.attempt();
  }

  private retryLater(retryAfterMs?: number): number {
    const { backoff, random, clock } = this.options;
    const wait = Math.max(fullJitter(this.attempts, backoff, random), atLeast(retryAfterMs ?? 0, random));
    this.attempts += 1;
    this.askedToWait = retryAfterMs !== undefined;
    this.cancelRetry?.();
    this.cancelRetry = this.started ? clock.after(wait, () => this.retry()) : undefined;
    return wait;
  }
}

function troubleOf(error: unknown): Trouble {
  const coded = CodedError.from(error);
  if (coded) return coded.toBody();
  return { code: 'FORBIDDEN', message: error instanceof Error ? error.message : String(error) };
}
