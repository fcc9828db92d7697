import { createInbox, nanos, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { CONSUMER, STREAM } from './jetstream-streams.ts';

/** A request for messages (NATS ADR-37). */
export interface PullRequest {
  batch: number;
  maxBytes?: number;
  /** How long the server gathers messages for it. */
  expiresMs: number;
}

/** What a pull gave; `missing`: the consumer is not there. */
export interface Pulled {
  messages: Msg[];
  missing: boolean;
}

/** How much longer than the server we wait for the end of a pull. */
const GRACE_MS = 2_000;
const IDLE_HEARTBEAT = 100;
const NO_RESPONDERS = 503;
const NAK = '-NAK';

/** Pulls from the durable consumer. A message that arrives for a pull that was cut short goes back at once. */
export class JetStreamPulls {
  readonly #connection: NatsConnection;
  readonly #running = new Set<() => void>();

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** Resolves with what came until the request was full or expired, the signal was aborted or `endAll` was called. */
  pull(request: PullRequest, signal: AbortSignal): Promise<Pulled> {
    const messages: Msg[] = [];
    return new Promise((resolve) => {
      let ended = false;
      const end = (missing: boolean) => {
        ended = true;
        signal.removeEventListener('abort', cut);
        this.#running.delete(cut);
        resolve({ messages, missing });
      };
      const finish = (missing: boolean) => {
        clearTimeout(timer);
        subscription.unsubscribe();
        end(missing);
      };
      const cut = () => {
        end(false);
      };
      const subscription = this.#connection.subscribe(createInbox(), {
        callback: (error, message) => {
          if (error) return;
          const status = message.headers?.code ?? 0;
          if (status === IDLE_HEARTBEAT) return;
          if (status !== 0) finish(status === NO_RESPONDERS || isDeleted(message));
          else if (ended) message.respond(NAK);
          else if (messages.push(message) >= request.batch) finish(false);
        },
      });
      const timer = setTimeout(() => {
        finish(false);
      }, request.expiresMs + GRACE_MS);
      timer.unref();
      this.#running.add(cut);
      signal.addEventListener('abort', cut);
      if (signal.aborted || !this.#request(subscription.getSubject(), request)) finish(false);
    });
  }

  /** Ends all pulls with what they have. */
  endAll(): void {
    for (const cut of [...this.#running]) cut();
  }

  #request(reply: string, { batch, maxBytes, expiresMs }: PullRequest): boolean {
    const body = { batch, expires: nanos(expiresMs), ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }) };
    try {
      this.#connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${CONSUMER}`, JSON.stringify(body), { reply });
      return true;
    } catch {
      return false;
    }
  }
}

function isDeleted(message: Msg): boolean {
  return /deleted|not found/i.test(message.headers?.description ?? '');
}

/**
 * Position of a message in the stream, from its reply subject (NATS ADR-15):
 * `$JS.ACK.[domain.account.]stream.consumer.deliveries.streamSeq.consumerSeq.time.pending[.token]`.
 */
export function streamSeqOf(reply: string | undefined): number {
  const tokens = reply?.split('.') ?? [];
  const seq = Number(tokens.length === 9 ? tokens[5] : tokens[7]);
  if (!Number.isSafeInteger(seq)) throw new Error(`not a reply subject of JetStream: ${String(reply)}`);
  return seq;
}
