import { EventEmitter } from 'node:events';
import { LIMITS, type ReadingInput } from '#contracts';
import type { DeviceReceipt, Trouble } from './answers.ts';
import { type BackoffOptions, DEFAULT_BACKOFF } from './backoff.ts';
import {
  type AttributeScopes,
  Attributes,
  type AttributesChange,
  type WantedAttributes,
} from './attributes/attributes.ts';
import { type Clock, systemClock } from './clock.ts';
import { type CommandHandler, Commands } from './commands/commands.ts';
import { Firmware, type FirmwareOptions } from './firmware/firmware.ts';
import { Connection } from './link/connection.ts';
import { MqttTransport, mqttUrlOf } from './link/mqtt-transport.ts';
import { SocketTransport } from './link/socket-transport.ts';
import type { FirmwareReport, Transport, TransportListener } from './link/transport.ts';
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
  /** Over what the device speaks with the platform: `socket` (socket.io, the default) or `mqtt` (MQTT 5). */
  transport?: 'socket' | 'mqtt';
  /**
   * Where the platform speaks MQTT: `mqtt://host:1883`, `mqtts://host:8883`, `ws://host/mqtt` or `wss://host/mqtt`. By default the host of
   * `url`, port 1883, or 8883 with TLS where `url` is https.
   */
  mqttUrl?: string;
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
  /** Shared attributes are other than the device had them; at first, all of them. Told once `onAttributes` or `onFirmware` was called. */
  attributes: [change: AttributesChange];
  /** How far the device is with a package. */
  firmware: [report: FirmwareReport];
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
  private readonly commands: Commands;
  private readonly attributes: Attributes;
  private readonly firmwares: Firmware[] = [];
  private readonly surroundings: Pick<Required<DeviceOptions>, 'clock' | 'random'> & { backoff: BackoffOptions };
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
    const ackTimeoutMs = options.ackTimeoutMs ?? 15_000;
    this.surroundings = { backoff, clock, random };
    this.connection = new Connection(
      {
        credentials: new Credentials(sourceOf(options)),
        transport: (listener) => createTransport(options, { clock, ackTimeoutMs }, listener),
        answerTimeoutMs: ackTimeoutMs,
        backoff,
        clock,
        random,
      },
      {
        up: () => this.onUp(),
        down: (reason) => this.onDown(reason),
        failed: (failure) => this.emit('connect-failed', failure),
        authError: (trouble) => this.emit('auth-error', trouble),
        command: (command, reply) => this.commands.receive(command, reply),
        attributes: (change) => this.attributes.receive(change),
      },
    );
    this.sender = new Sender(
      {
        outbox: this.outbox,
        batch: this.batch,
        inFlight: options.inFlight ?? 4,
        ackTimeoutMs,
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
    this.commands = new Commands(this.connection, clock);
    this.attributes = new Attributes(this.connection, this.surroundings, {
      changed: (change) => this.onAttributesChanged(change),
      written: ({ changed }) => this.tellFirmwares(Object.keys(changed)),
    });
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

  /**
   * Carries out commands of the platform: what the handler returns, or resolves with, is the answer, and what it throws the reason of the
   * failure. A handler without a method takes all methods that have none of their own; what none takes is answered with an error. A command
   * that is delivered again is not carried out again.
   *
   * ```ts
   * device.onCommand('reboot', async ({ params }) => ({ ok: true, in: params }));
   * ```
   */
  onCommand(method: string | undefined, handler: CommandHandler): this {
    this.commands.handle(method, handler);
    this.connection.listen('commands');
    return this;
  }

  /** Follows the shared attributes: `sharedAttributes` is what the platform has, and `attributes` tells of every change. */
  onAttributes(listener: (change: AttributesChange) => void): this {
    this.on('attributes', listener);
    this.followAttributes();
    return this;
  }

  /** The shared attributes as they were last heard of; nothing before `onAttributes` or `onFirmware` is called. */
  get sharedAttributes(): Readonly<Record<string, unknown>> {
    return this.attributes.shared;
  }

  /**
   * Tells the platform attributes of the device's own (client scope); null deletes one. Resolves once the platform has them durably: until
   * there is a link they wait in memory, of each key the newest value.
   *
   * @throws {CodedError} `BAD_ATTRIBUTE`, `ATTRIBUTES_TOO_LARGE`, ... for what the platform will not take.
   */
  async reportAttributes(attributes: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.closed) throw closedError();
    await this.attributes.report(attributes);
  }

  /**
   * Asks for attributes by their keys; `true` asks for all of the scope.
   *
   * @throws {CodedError} `UNAVAILABLE` when there is no link or no answer.
   */
  async getAttributes(wanted: WantedAttributes): Promise<AttributeScopes> {
    return this.attributes.get(wanted);
  }

  /** Takes packages that the platform assigns to the device: loads and checks them, has them installed, and tells of each step. */
  onFirmware(options: FirmwareOptions): this {
    const told = (report: FirmwareReport) => this.emit('firmware', report);
    const firmware = new Firmware(this.connection, options, { ...this.surroundings, told });
    this.firmwares.push(firmware);
    this.connection.listen('firmware');
    this.followAttributes();
    firmware.assigned(this.sharedAttributes, []);
    return this;
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
    this.attributes.stop();
    for (const firmware of this.firmwares) firmware.stop();
    for (const end of this.flushing) end(false);
    await this.opening?.catch(() => undefined);
    await this.outbox.close();
    return this.outbox.count === 0;
  }

  private async open(): Promise<void> {
    if (this.closed) throw closedError();
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
    this.commands.linkUp();
    this.attributes.linkUp();
    for (const firmware of this.firmwares) firmware.linkUp();
    this.emit('connected');
  }

  private followAttributes(): void {
    this.connection.listen('attributes');
    this.attributes.follow();
  }

  private onAttributesChanged(change: AttributesChange): void {
    this.emit('attributes', change);
    this.tellFirmwares([]);
  }

  private tellFirmwares(written: readonly string[]): void {
    for (const firmware of this.firmwares) firmware.assigned(this.sharedAttributes, written);
  }

  private onDown(reason: string): void {
    this.sender.linkDown();
    this.emit('disconnected', reason);
  }
}

const closedError = (): Error => new Error('The device is closed: make another one.');

function createTransport(
  options: DeviceOptions,
  { clock, ackTimeoutMs }: { clock: Clock; ackTimeoutMs: number },
  listener: TransportListener,
): Transport {
  const { url, transport = 'socket', transports = ['websocket', 'polling'], connectTimeoutMs = 10_000 } = options;
  if (transport === 'socket') return new SocketTransport({ url, transports, connectTimeoutMs }, listener);
  const mqttUrl = options.mqttUrl ?? mqttUrlOf(url);
  return new MqttTransport({ url: mqttUrl, connectTimeoutMs, chunkTimeoutMs: ackTimeoutMs, clock }, listener);
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
