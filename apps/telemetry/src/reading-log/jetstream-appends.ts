import { createInbox, type MsgHdrs, type NatsConnection, type Msg } from '@nats-io/transport-node';
import { z } from 'zod';
import { CodedError } from '#contracts';
import { busy } from './busy.ts';

/** Acknowledgement of a publish (NATS ADR-22); of the errors see nats-server's errors.json. */
const PubAck = z.object({
  seq: z.number().optional(),
  error: z.object({ err_code: z.number().optional(), description: z.string().optional() }).optional(),
});

const ERR_MESSAGE_TOO_LARGE = 10_054;
const ERR_MAXIMUM_BYTES = 10_077;
const NO_RESPONDERS = 503;

interface Pending {
  resolve(): void;
  reject(error: CodedError): void;
  timer: NodeJS.Timeout;
}

/**
 * Publishes to streams, many at once: all acknowledgements come through one subscription of its own and find their publish
 * by the last token of their subject. (Waiting for a request each reaches a fifth of the rate.)
 */
export class JetStreamAppends {
  readonly #connection: NatsConnection;
  readonly #timeoutMs: number;
  readonly #onMissing: () => void;
  readonly #inbox = createInbox();
  readonly #pending = new Map<string, Pending>();
  #last = 0;

  /** @param onMissing called when the server says that no stream takes the subject. */
  constructor(connection: NatsConnection, { timeoutMs, onMissing }: { timeoutMs: number; onMissing: () => void }) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#onMissing = onMissing;
    connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (!error) this.#acknowledged(message);
      },
    });
  }

  /** Resolves once the stream has stored it; rejects with `BUSY` or `BODY_TOO_LARGE`, at the latest after the timeout. */
  append(subject: string, body: Uint8Array, headers?: MsgHdrs): Promise<void> {
    const limit = this.#connection.info?.max_payload ?? Infinity;
    if (body.length > limit) return Promise.reject(tooLarge(body.length, limit));
    return new Promise((resolve, reject) => {
      const token = String(++this.#last);
      const timer = setTimeout(() => {
        this.#pending.delete(token);
        reject(busy('the reading log did not answer in time'));
      }, this.#timeoutMs);
      this.#pending.set(token, { resolve, reject, timer });
      try {
        this.#connection.publish(subject, body, {
          reply: `${this.#inbox}.${token}`,
          ...(headers ? { headers } : {}),
        });
      } catch (error) {
        this.#take(token)?.reject(busy('the reading log is away', error));
      }
    });
  }

  /** Refuses everything that was not acknowledged. */
  failAll(why: string): void {
    for (const token of [...this.#pending.keys()]) this.#take(token)?.reject(busy(why));
  }

  #acknowledged(message: Msg): void {
    const pending = this.#take(message.subject.slice(this.#inbox.length + 1));
    if (!pending) return;
    const refusal = this.#refusalOf(message);
    if (refusal) pending.reject(refusal);
    else pending.resolve();
  }

  #refusalOf(message: Msg): CodedError | undefined {
    if (message.headers?.code === NO_RESPONDERS) {
      this.#onMissing();
      return busy('the reading log is not there');
    }
    const ack = parseAck(message.string());
    if (!ack) return busy('the reading log gave an answer that is none');
    if (!ack.error) return undefined;
    const { err_code: code, description } = ack.error;
    if (code === ERR_MAXIMUM_BYTES) return busy('the reading log is full');
    if (code === ERR_MESSAGE_TOO_LARGE) return tooLarge(message.data.length, undefined);
    return busy(`the reading log refused them (${description ?? 'no reason given'})`);
  }

  #take(token: string): Pending | undefined {
    const pending = this.#pending.get(token);
    if (pending) clearTimeout(pending.timer);
    this.#pending.delete(token);
    return pending;
  }
}

function parseAck(text: string): z.output<typeof PubAck> | undefined {
  try {
    return PubAck.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function tooLarge(bytes: number, limit: number | undefined): CodedError {
  const limitText = limit === undefined ? '' : ` of at most ${String(limit)}`;
  return new CodedError(
    'BODY_TOO_LARGE',
    `The group of ${String(bytes)} bytes does not fit a message${limitText}: send smaller batches.`,
  );
}
