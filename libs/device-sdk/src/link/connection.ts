import { CodedError, type ReadingInput } from '#contracts';
import { z } from 'zod';
import { type Saying, type Trouble, readSaying } from '../answers.ts';
import { type BackoffOptions, atLeast, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { isCredentialCode, isFinal, retryAfterOf } from '../refusal.ts';
import { type Credentials, tokenOf } from './credentials.ts';
import { type AttributeScopes, LinkLostError, RefusedError, type Talk } from './talk.ts';
import type {
  Answered,
  AttributesChange,
  Closing,
  Command,
  CommandOutcome,
  FirmwareKind,
  FirmwareReport,
  LinkBounds,
  Topic,
  Transport,
  TransportListener,
  WantedAttributes,
} from './transport.ts';

/** What a connection tells. */
export interface ConnectionListener {
  up(): void;
  down(reason: string): void;
  /** No connection could be made; the next attempt is `retryInMs` away. */
  failed(failure: { message: string; retryInMs: number }): void;
  /** The credentials are refused, or there are none to be had. */
  authError(trouble: Trouble): void;
  command(command: Command, reply?: (outcome: CommandOutcome) => boolean): void;
  attributes(change: AttributesChange): void;
}

export interface ConnectionOptions {
  credentials: Credentials;
  /** Makes the transport, which tells what becomes of its links. */
  transport: (listener: TransportListener) => Transport;
  /** How long an answer may take, in milliseconds. */
  answerTimeoutMs: number;
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
}

/** A connection that lasted this long without a receipt counts as a good one all the same. */
const STEADY_MS = 10_000;
/** Two copies of one device, of which each ends the other's link, come back no sooner than this. */
const TAKEN_OVER_MS = 30_000;

const Attributes = z.record(z.string(), z.unknown());
const Scopes = z.object({ client: Attributes.default({}), shared: Attributes.default({}) });

/**
 * Stays connected to the platform. Reconnecting is done here and not by the libraries of the transports, whose own ways do not come back
 * after a refusal and jitter around the exponential delay instead of over all of it.
 */
export class Connection implements Talk {
  isUp = false;
  private readonly transport: Transport;
  private readonly topics = new Set<Topic>();
  private readonly asking = new Set<() => void>();
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
    this.transport = options.transport({
      opened: () => this.onOpened(),
      closed: (closing) => this.onClosed(closing),
      expiring: () => void this.refresh(),
      command: (command, reply) => this.listener.command(command, reply),
      attributes: (change) => this.listener.attributes(change),
    });
  }

  get bounds(): LinkBounds {
    return this.transport.bounds;
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
    this.transport.close();
  }

  /** Drops a connection on which nothing comes back any more, and makes another. */
  restart(): void {
    this.transport.close(true);
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

  /** From now on the platform tells of this too. */
  listen(topic: Topic): void {
    if (this.topics.has(topic)) return;
    this.topics.add(topic);
    this.transport.listen(this.topics);
  }

  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: Answered): void {
    this.transport.sendReadings(readings, batchId, answered);
  }

  confirmCommand(command: Command): void {
    if (this.isUp) this.transport.confirmCommand(command);
  }

  async answerCommand(command: Command, outcome: CommandOutcome): Promise<void> {
    await this.ask((answered) => this.transport.answerCommand(command, outcome, answered));
  }

  async reportAttributes(attributes: Readonly<Record<string, unknown>>): Promise<void> {
    await this.ask((answered) => this.transport.reportAttributes(attributes, answered));
  }

  async getAttributes(wanted: WantedAttributes): Promise<AttributeScopes> {
    const scopes = Scopes.safeParse(await this.ask((answered) => this.transport.getAttributes(wanted, answered)));
    if (!scopes.success) throw new LinkLostError('The platform gave attributes of another shape.');
    return scopes.data;
  }

  async reportFirmware(report: FirmwareReport): Promise<void> {
    await this.ask((answered) => this.transport.reportFirmware(report, answered));
  }

  loadFirmware(kind: FirmwareKind, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.transport.loadFirmware(kind, offset, signal);
  }

  private ask(send: (answered: Answered) => void): Promise<Saying> {
    return new Promise((resolve, reject) => {
      if (!this.isUp) {
        reject(new LinkLostError());
        return;
      }
      const settle = () => {
        cancel();
        this.asking.delete(lose);
      };
      const lose = () => {
        settle();
        reject(new LinkLostError());
      };
      const cancel = this.options.clock.after(this.options.answerTimeoutMs, lose);
      this.asking.add(lose);
      send((answer) => {
        settle();
        const saying = readSaying(answer);
        if (saying.ok) resolve(saying);
        else reject(new RefusedError(saying));
      });
    });
  }

  private async attempt(): Promise<void> {
    try {
      const credentials = await this.options.credentials.get();
      if (this.started) this.transport.open(credentials);
    } catch (error) {
      this.onNoCredentials(error);
    }
  }

  private onOpened(): void {
    this.renewed = false;
    this.isUp = true;
    this.connectedAt = this.options.clock.now();
    this.listener.up();
  }

  private onClosed(closing: Closing): void {
    if (this.isUp) this.onLost(closing);
    else void this.onRefused(closing);
  }

  private onLost({ reason, trouble }: Closing): void {
    this.isUp = false;
    if (this.options.clock.now() - this.connectedAt >= STEADY_MS) this.attempts = 0;
    [...this.asking].forEach((lose) => lose());
    this.listener.down(reason);
    if (trouble?.code === 'TAKEN_OVER') this.fail(reason, TAKEN_OVER_MS);
    else if (trouble && isCredentialCode(trouble.code)) void this.onCredentialsEnded(trouble);
    else this.retryLater(trouble?.retryAfterMs);
  }

  private async onRefused({ reason, trouble }: Closing): Promise<void> {
    if (!trouble) this.fail(reason);
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
    if (await this.renew()) void this.attempt();
  }

  /** The platform ended a living link for its credentials. They were good a moment ago, so that the next attempt is not at once. */
  private async onCredentialsEnded(trouble: Trouble): Promise<void> {
    if (!this.options.credentials.canRenew) this.listener.authError(trouble);
    else if (!(await this.renew())) return;
    this.retryLater(trouble.retryAfterMs);
  }

  private async renew(): Promise<boolean> {
    try {
      await this.options.credentials.renew();
      return true;
    } catch (error) {
      this.renewed = false;
      this.onNoCredentials(error);
      return false;
    }
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
      const renewed = token !== undefined && this.transport.renew(token, (answer) => this.onRefreshed(answer));
      if (!renewed) this.restart();
    } catch (error) {
      this.onRefreshFailed(error);
    }
  }

  private onRefreshed(value: unknown): void {
    const answer = readSaying(value);
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
