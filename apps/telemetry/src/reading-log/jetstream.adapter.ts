import { jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { CodedError } from '#contracts';
import { busy } from './busy.ts';
import { JetStreamAppends } from './jetstream-appends.ts';
import { JetStreamPulls, streamSeqOf } from './jetstream-pulls.ts';
import {
  CONSUMER,
  DEAD_STREAM,
  DEAD_SUBJECT,
  ensureStreams,
  isNotFound,
  STREAM,
  SUBJECT,
  type StreamIdentity,
  type StreamLimits,
} from './jetstream-streams.ts';
import type { Backlog, DeadLetter, Drain, LogMessage, ReadingLog } from './reading-log.ts';

export interface JetStreamReadingLogOptions {
  /** One or more `nats://host:port`, separated by commas. */
  servers: string;
  /** Bytes of unwritten messages above which appends are refused. */
  maxBytes: number;
  /** Copies that the NATS cluster keeps of each message. */
  replicas: number;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** How long an append may take, ms; default 5,000. */
  appendTimeoutMs?: number;
  /** A writer that is silent for this long has died, ms; default 30,000. */
  ackWaitMs?: number;
}

const WAIT_MS = 20_000;
const PULL_MESSAGES = 5_000;
const READ_MESSAGES = 500;
const FLOOR_AGE_MS = 250;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
const POLL_MS = 20;
const FLUSH_MS = 1_000;
const REASON_HEADER = 'Fieldline-Reason';

/** The connection and what hangs on it; made anew when the connection is closed for good. */
interface Link {
  connection: NatsConnection;
  jsm: JetStreamManager;
  appends: JetStreamAppends;
  pulls: JetStreamPulls;
}

/**
 * The log of the replicated mode: a JetStream stream on files with interest retention, drained through one durable pull
 * consumer that all writers share. While the server is away appends are refused at once; the streams are checked, and made
 * where they are missing, whenever the connection comes back.
 */
export class JetStreamReadingLog implements ReadingLog {
  readonly appendsInFlight = 4;
  readonly #options: JetStreamReadingLogOptions;
  #link: Link | undefined;
  #identity: StreamIdentity = { id: '', floor: 0 };
  #floorAt = 0;
  #ready = false;
  #stopped = true;
  #stopping = new AbortController();
  #hungry = true;
  #preparing: Promise<void> | undefined;
  readonly #appends = new Set<Promise<void>>();
  /** What tells the server that messages are still being written. */
  readonly #working = new Set<NodeJS.Timeout>();

  constructor(options: JetStreamReadingLogOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#identity.id;
  }

  /** Rejects if the server cannot be reached just now; once it has been, the log finds back to it by itself. */
  async start(): Promise<void> {
    this.#stopped = false;
    this.#stopping = new AbortController();
    try {
      this.#link = await this.#connect();
      this.#use(await ensureStreams(this.#link.jsm, this.#limits()));
    } catch (error) {
      await this.stop();
      throw error;
    }
    void this.#watch(this.#link);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    const isThere = this.#ready;
    this.#stopped = true;
    this.#stopping.abort();
    this.#ready = false;
    this.#link?.pulls.endAll();
    for (const timer of this.#working) clearInterval(timer);
    await Promise.allSettled(this.#appends);
    if (isThere) await this.#flush();
    await this.#link?.connection.close();
    await this.#preparing;
    this.#link = undefined;
  }

  append(body: string): Promise<void> {
    if (!this.#ready || !this.#link) return Promise.reject(busy('the reading log is away'));
    const append = this.#link.appends.append(SUBJECT, Buffer.from(body)).finally(() => this.#appends.delete(append));
    this.#appends.add(append);
    return append;
  }

  async drain(options: { maxBytes: number; lingerMs: number; signal: AbortSignal }): Promise<Drain | undefined> {
    const { signal } = options;
    while (!signal.aborted && !this.#stopped) {
      const link = this.#link;
      if (!link || !this.#ready) {
        await pause(RETRY_MS, signal);
        continue;
      }
      const identity = this.#identity;
      const messages = await this.#gather(link, options);
      this.#hungry = bytesOf(messages) < options.maxBytes / 2;
      if (messages.length > 0) return this.#hold(link, identity.id, await this.#floor(link, identity), messages);
    }
    return undefined;
  }

  async backlog(): Promise<Backlog> {
    const { state } = await this.#manager().streams.info(STREAM);
    return { messages: state.messages, bytes: state.bytes };
  }

  async *pending(): AsyncIterable<LogMessage> {
    const { state } = await this.#manager().streams.info(STREAM);
    for await (const message of this.#stored(STREAM, state.first_seq, state.last_seq)) {
      yield { seq: message.seq, body: Buffer.from(message.data).toString() };
    }
  }

  async settled(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    const { state } = await this.#manager().streams.info(STREAM);
    for (;;) {
      const consumer = await this.#manager().consumers.info(STREAM, CONSUMER);
      if (consumer.ack_floor.stream_seq >= state.last_seq) return true;
      if (consumer.num_pending === 0 && consumer.num_ack_pending === 0) return true;
      if (Date.now() >= deadline) return false;
      await pause(Math.min(POLL_MS, deadline - Date.now()));
    }
  }

  async bury(message: LogMessage, reason: string): Promise<void> {
    if (!this.#ready || !this.#link) throw busy('the reading log is away');
    const fields = headers();
    fields.set(REASON_HEADER, encodeURIComponent(reason));
    await this.#link.appends.append(DEAD_SUBJECT, Buffer.from(message.body), fields);
  }

  async deadLetters(after: number, limit: number): Promise<DeadLetter[]> {
    const { state } = await this.#manager().streams.info(DEAD_STREAM);
    const letters: DeadLetter[] = [];
    for await (const message of this.#stored(DEAD_STREAM, Math.max(after + 1, state.first_seq), state.last_seq)) {
      letters.push(deadLetterOf(message));
      if (letters.length >= limit) break;
    }
    return letters;
  }

  async replay(id: number): Promise<boolean> {
    const message = await this.#messageOf(DEAD_STREAM, id);
    if (!message) return false;
    await this.append(Buffer.from(message.data).toString());
    await this.#manager().streams.deleteMessage(DEAD_STREAM, id, false);
    return true;
  }

  /** Lets acknowledgements reach the server, which may be dying. */
  async #flush(): Promise<void> {
    const flushed = new AbortController();
    const flush = this.#link?.connection.flush().catch(() => undefined);
    await Promise.race([flush, pause(FLUSH_MS, flushed.signal)]);
    flushed.abort();
  }

  /** Waits for a first message, unless the last drain was large, and then gathers company. */
  async #gather(
    link: Link,
    { maxBytes, lingerMs, signal }: { maxBytes: number; lingerMs: number; signal: AbortSignal },
  ): Promise<Msg[]> {
    const first = this.#hungry ? await this.#pull(link, { batch: 1, expiresMs: WAIT_MS }, signal) : [];
    const left = maxBytes - bytesOf(first);
    if (left <= 0 || (this.#hungry && first.length === 0)) return first;
    const request = { batch: PULL_MESSAGES, maxBytes: left, expiresMs: lingerMs };
    return [...first, ...(await this.#pull(link, request, signal))];
  }

  async #pull(
    link: Link,
    request: { batch: number; maxBytes?: number; expiresMs: number },
    signal: AbortSignal,
  ): Promise<Msg[]> {
    const { messages, missing } = await link.pulls.pull(request, signal);
    if (missing && !this.#stopped) {
      this.#prepareAgain();
      await pause(RETRY_MS, signal);
    }
    return messages;
  }

  #hold(link: Link, logId: string, floor: number, received: Msg[]): Drain {
    const working = setInterval(() => {
      for (const message of received) message.respond('+WPI');
    }, this.#ackWaitMs() / 3);
    const settle = () => {
      clearInterval(working);
      this.#working.delete(working);
    };
    this.#working.add(working);
    return {
      logId,
      floor,
      messages: received
        .map((message) => ({ seq: streamSeqOf(message.reply), body: message.string() }))
        .sort((a, b) => a.seq - b.seq),
      ack: async () => {
        settle();
        for (const message of received.slice(0, -1)) message.respond('+ACK');
        const last = received.at(-1);
        if (last?.reply) await link.connection.request(last.reply, '+ACK', { timeout: this.#timeoutMs() });
      },
      release: () => {
        settle();
        for (const message of received) message.respond('-NAK');
        return Promise.resolve();
      },
    };
  }

  /** The consumer's acknowledgement floor, asked for at most a few times a second; it only ever rises in one stream. */
  async #floor(link: Link, identity: StreamIdentity): Promise<number> {
    if (Date.now() - this.#floorAt > FLOOR_AGE_MS) {
      this.#floorAt = Date.now();
      try {
        const { ack_floor: floor } = await link.jsm.consumers.info(STREAM, CONSUMER);
        if (this.#identity === identity) identity.floor = Math.max(identity.floor, floor.stream_seq);
      } catch {
        return identity.floor;
      }
    }
    return identity.floor;
  }

  async *#stored(stream: string, from: number, to: number): AsyncIterable<StoredMsg> {
    for (let next = Math.max(1, from); next <= to;) {
      const start = next;
      const batch = await this.#manager().direct.getBatch(stream, { seq: start, batch: READ_MESSAGES });
      try {
        for await (const message of batch) {
          if (message.seq > to) return;
          next = message.seq + 1;
          yield message;
        }
      } catch (error) {
        if (!isNotFound(error)) throw error;
        return;
      }
      if (next === start) return;
    }
  }

  async #messageOf(stream: string, seq: number): Promise<StoredMsg | null> {
    try {
      return await this.#manager().streams.getMessage(stream, { seq });
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  #manager(): JetStreamManager {
    if (!this.#link || !this.#ready) throw new CodedError('UNAVAILABLE', 'The reading log is away.');
    return this.#link.jsm;
  }

  async #connect(): Promise<Link> {
    const connection = await connect({
      servers: this.#options.servers.split(',').map((server) => server.trim()),
      name: 'reading-log',
      timeout: this.#timeoutMs(),
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
      pingInterval: 5_000,
      maxPingOut: 2,
    });
    const appends = new JetStreamAppends(connection, {
      timeoutMs: this.#timeoutMs(),
      onMissing: () => {
        this.#prepareAgain();
      },
    });
    const jsm = await jetstreamManager(connection, { checkAPI: false, timeout: this.#timeoutMs() });
    return { connection, jsm, appends, pulls: new JetStreamPulls(connection) };
  }

  async #watch(link: Link): Promise<void> {
    for await (const status of link.connection.status()) {
      if (status.type === 'disconnect') {
        this.#options.logger.warn({ server: status.server }, 'the reading log lost its NATS server');
        this.#lost(link);
      } else if (status.type === 'reconnect') {
        this.#options.logger.info({ server: status.server }, 'the reading log has its NATS server back');
        this.#prepareAgain();
      }
    }
    if (!this.#stopped) await this.#replace(link);
  }

  /** The client gives a connection up for good when its credentials are refused, for example. */
  async #replace(link: Link): Promise<void> {
    this.#lost(link);
    const next = await this.#untilDone('the NATS server of the reading log', () => this.#connect());
    if (!next) return;
    this.#link = next;
    void this.#watch(next);
    this.#prepareAgain();
  }

  #lost(link: Link): void {
    this.#ready = false;
    link.appends.failAll('the reading log is away');
    link.pulls.endAll();
  }

  /** Makes sure of the streams; no append is accepted before. */
  #prepareAgain(): void {
    this.#ready = false;
    this.#preparing ??= this.#prepare().finally(() => {
      this.#preparing = undefined;
    });
  }

  async #prepare(): Promise<void> {
    const identity = await this.#untilDone('the streams of the reading log', async () => {
      if (!this.#link) throw new Error('not connected');
      return ensureStreams(this.#link.jsm, this.#limits());
    });
    if (identity) this.#use(identity);
  }

  #use(identity: StreamIdentity): void {
    if (this.#identity.id !== '' && this.#identity.id !== identity.id) {
      this.#options.logger.warn({ was: this.#identity.id, is: identity.id }, 'the reading log was lost and made anew');
    }
    this.#identity = identity;
    this.#ready = true;
  }

  /** Tries until it works, or gives undefined once the log is stopped; says once what it waits for. */
  async #untilDone<T>(what: string, attempt: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 0; !this.#stopped; failures += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (failures === 0) this.#options.logger.warn({ err: error, waitingFor: what }, `waiting for ${what}`);
        const ms = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures) * (0.5 + Math.random() / 2);
        await pause(ms, this.#stopping.signal);
      }
    }
    return undefined;
  }

  #limits(): StreamLimits {
    const { maxBytes, replicas } = this.#options;
    return { maxBytes, replicas, ackWaitMs: this.#ackWaitMs() };
  }

  #ackWaitMs(): number {
    return this.#options.ackWaitMs ?? 30_000;
  }

  #timeoutMs(): number {
    return this.#options.appendTimeoutMs ?? 5_000;
  }
}

function bytesOf(messages: readonly Msg[]): number {
  return messages.reduce((bytes, { data }) => bytes + data.length, 0);
}

function deadLetterOf(message: StoredMsg): DeadLetter {
  return {
    id: message.seq,
    at: message.time.getTime(),
    reason: decodeURIComponent(message.header.get(REASON_HEADER)),
    body: Buffer.from(message.data).toString(),
  };
}

/** Resolves after `ms`, or once the signal is aborted. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
