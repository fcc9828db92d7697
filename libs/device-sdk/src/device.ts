import { EventEmitter } from 'node:events';
import { LIMITS, type ReadingInput } from '#contracts';
import type { DeviceReceipt, Trouble } from './answers.ts';
import { type BackoffOptions, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { Connection } from './link/connection.ts';
import { type BatchOptions, Sender } from './link/sender.ts';
import {
  type CredentialSource,
  Credentials,
  type DeviceCredentials,
  type GetToken,
  type Provisioning,
  byToken,
} from './link/credentials.ts';
import { MemoryOutbox } from './outbox/memory-outbox.ts';
import type { Outbox } from './outbox/outbox.ts';
import { type Stamp, createStamp } from './stamp.ts';

/** How a device reaches its platform. `url` is needed, and one of `token`, `credentials`, `getToken` and `provisioning`. */
export interface DeviceOptions {
  /** Where the platform is, such as `https://iot.example.com`. */
  url: string;
  /** A device's access token. */
  token?: string;
  /** Brings tokens that end, such as a person's: see `userLogin`. */
  getToken?: GetToken;
  /** The user name and password of two-step provisioning, or a token. */
  credentials?: DeviceCredentials;
  /** A way in, such as `twoStep`: taken when the device connects, and again when its credentials are refused. */
  provisioning?: Provisioning;
  /** Where readings wait for their receipts; in memory by default. The device opens and closes it. */
  outbox?: Outbox;
  /** By default 500 readings, 256 KiB, 50 ms. */
  batch?: Partial<BatchOptions>;
  /** Batches that may be without a receipt at a time; 4 by default. */
  inFlight?: number;
  /** How long a batch waits for its receipt before it is sent again, in milliseconds; 15,000 by default. */
  ackTimeoutMs?: number;
  /** How long one attempt to connect may take, in milliseconds; 10,000 by default. */
  connectTimeoutMs?: number;
  /** WebSocket with polling to fall back on, by default. */
  transports?: ('websocket' | 'polling')[];
  backoff?: Partial<BackoffOptions>;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** What a device tells; none of it needs an answer. */
export interface DeviceEvents {
  connected: [];
  disconnected: [reason: string];
  /** No connection could be made. Readings wait; the next attempt is `retryInMs` away. */
  'connect-failed': [failure: { message: string; retryInMs: number }];
  receipt: [receipt: DeviceReceipt];
  /** The platform will never take this reading: the code says why. It is not sent again. */
  rejected: [rejected: { reading: ReadingInput; code: string; message: string }];
  /** The credentials are refused and there are no others. Readings wait; attempts go on, rarely. */
  'auth-error': [trouble: Trouble];
  /** The outbox cannot be read just now. */
  'outbox-error': [error: unknown];
}

/** Readings, counted in what became of them since this object was made. */
export interface DeviceStats {
  /** Waiting for a receipt now, those of earlier runs included. */
  queued: number;
  /** Sent for the first time. */
  sent: number;
  acknowledged: number;
  /** Sent again. */
  resent: number;
  rejected: number;
  /** Gave way to newer ones in a full outbox. */
  dropped: number;
}

/** Ends of waiting: `timeoutMs` milliseconds, or never. */
export interface FlushOptions {
  timeoutMs?: number;
}

const DEFAULT_BATCH: BatchOptions = { maxReadings: 500, maxBytes: 262_144, lingerMs: 50 };
/** Room for the frame around the readings of one socket message. */
const FRAME_BYTES = 1_024;

/**
 * A device or gateway: takes readings at any time, connected or not, and sends them until each has its receipt.
 *
 * ```ts
 * const device = new FieldlineDevice({ url: 'http://localhost:8080', token, outbox: new FileOutbox({ folder: 'outbox' }) });
 * await device.connect();
 * await device.send({ sensor: 'temperature', value: 21.5, unit: '°C' });
 * await device.close({ flush: true });
 * ```
 */
export class FieldlineDevice extends EventEmitter<DeviceEvents> {
  private readonly outbox: Outbox;
  private readonly clock: Clock;
  private readonly batch: BatchOptions;
  private readonly connection: Connection;
  private readonly sender: Sender;
  private readonly stamp: Stamp;
  private readonly putting = new Set<Promise<unknown>>();
  private readonly flushing = new Set<(settled: boolean) => void>();
  private opening: Promise<void> | undefined;
  private closed = false;
  private dropped = 0;

  constructor(options: DeviceOptions) {
    super();
    const { clock = systemClock, random = Math.random } = options;
    const backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
    this.clock = clock;
    this.batch = limitBatch({ ...DEFAULT_BATCH, ...options.batch });
    this.outbox = options.outbox ?? new MemoryOutbox();
    this.stamp = createStamp(() => clock.now(), this.batch.maxBytes);
    this.connection = new Connection(
      {
        url: options.url,
        credentials: new Credentials(sourceOf(options)),
        transports: options.transports ?? ['websocket', 'polling'],
        connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
        backoff,
        clock,
        random,
      },
      {
        up: () => this.onUp(),
        down: (reason) => this.onDown(reason),
        failed: (failure) => this.emit('connect-failed', failure),
        authError: (trouble) => this.emit('auth-error', trouble),
      },
    );
    this.sender = new Sender(
      {
        outbox: this.outbox,
        batch: this.batch,
        inFlight: options.inFlight ?? 4,
        ackTimeoutMs: options.ackTimeoutMs ?? 15_000,
        backoff,
        clock,
        random,
        session: sessionName(clock.now(), random),
      },
      this.connection,
      {
        receipt: (receipt) => this.emit('receipt', receipt),
        rejected: (rejected) => this.emit('rejected', rejected),
        outboxError: (error) => this.emit('outbox-error', error),
      },
    );
  }

  get stats(): DeviceStats {
    return { queued: this.outbox.count, ...this.sender.counts, dropped: this.dropped };
  }

  /**
   * Opens the outbox and begins to connect; resolves without waiting for the platform, which may be away for hours.
   * `connected` tells when it is there.
   *
   * @throws {OutboxLockedError} when another process uses the outbox.
   */
  async connect(): Promise<void> {
    await this.open();
    if (!this.closed) this.connection.start();
  }

  /**
   * Takes one reading or several; resolves when the outbox has them durably, in their order. A reading without `ts` gets the time of this call.
   *
   * @throws {OutboxFullError} when the outbox is full and set to reject.
   * @throws {CodedError} `INVALID_INPUT` for a reading without sensor or finite value, or one too large for any batch.
   */
  async send(readings: ReadingInput | readonly ReadingInput[]): Promise<void> {
    const stamped = (isList(readings) ? readings : [readings]).map((reading) => this.stamp(reading));
    await this.track(this.put(stamped));
  }

  /** Tries to connect at once if need be. Resolves with true when nothing that was sent so far waits any more, with false when time ran out or the device was closed. */
  async flush({ timeoutMs }: FlushOptions = {}): Promise<boolean> {
    await this.open();
    await Promise.allSettled(this.putting);
    this.connection.hurry();
    return new Promise((resolve) => {
      const end = (settled: boolean) => {
        this.flushing.delete(end);
        cancelTimeout?.();
        cancelWait();
        resolve(settled);
      };
      this.flushing.add(end);
      const cancelTimeout = timeoutMs === undefined ? undefined : this.clock.after(timeoutMs, () => end(false));
      const cancelWait = this.sender.whenSettled(this.outbox.lastSeq, () => queueMicrotask(() => end(true)));
    });
  }

  /**
   * Disconnects and lets go of the outbox, after waiting for receipts if `flush` is set; resolves with whether nothing was left
   * waiting. What is left stays in a file outbox for the next run.
   */
  async close({ flush = false, timeoutMs }: FlushOptions & { flush?: boolean } = {}): Promise<boolean> {
    if (this.closed) return this.outbox.count === 0;
    if (flush) await this.flush({ timeoutMs });
    this.closed = true;
    this.connection.stop();
    this.sender.stop();
    for (const end of this.flushing) end(false);
    await this.opening?.catch(() => undefined);
    await this.outbox.close();
    return this.outbox.count === 0;
  }

  private async open(): Promise<void> {
    if (this.closed) throw new Error('The device is closed: make another one.');
    this.opening ??= this.outbox.open();
    await this.opening;
  }

  private async put(readings: readonly ReadingInput[]): Promise<void> {
    await this.open();
    const { bytes, dropped } = await this.outbox.put(readings);
    this.dropped += dropped;
    this.sender.notice(readings.length, bytes);
  }

  private async track(put: Promise<void>): Promise<void> {
    this.putting.add(put);
    try {
      await put;
    } finally {
      this.putting.delete(put);
    }
  }

  private onUp(): void {
    this.sender.linkUp();
    this.emit('connected');
  }

  private onDown(reason: string): void {
    this.sender.linkDown();
    this.emit('disconnected', reason);
  }
}

/** `Array.isArray` does not narrow a readonly array. */
const isList = (readings: ReadingInput | readonly ReadingInput[]): readings is readonly ReadingInput[] =>
  Array.isArray(readings);

function limitBatch(batch: BatchOptions): BatchOptions {
  return {
    maxReadings: Math.min(Math.max(1, batch.maxReadings), LIMITS.batchReadings),
    maxBytes: Math.min(batch.maxBytes, LIMITS.bodyBytes - FRAME_BYTES),
    lingerMs: batch.lingerMs,
  };
}

function sourceOf({ token, getToken, credentials, provisioning }: DeviceOptions): CredentialSource {
  if (provisioning) return { provisioning };
  if (getToken) return { provisioning: byToken(getToken) };
  if (credentials) return { fixed: credentials };
  if (token) return { fixed: { token } };
  throw new Error('A device needs a token, credentials, getToken or provisioning.');
}

/** Tells the batches of one run from those of another. */
const sessionName = (now: number, random: () => number): string =>
  `${now.toString(36)}-${Math.floor(random() * 2 ** 32).toString(36)}`;
