import type { CodedError } from '#contracts';
import { toCoded } from '#platform';
import type { InboundMessage } from './inbound-message.ts';
import { isHolding } from './reason-codes.ts';
import type { Acknowledgement, Begun } from './topic-handler.ts';

/** How long a message is held back when nobody says how long, in ms. */
const HOLD_MS = 1_000;

/** What all clients of a replica have sent and is not acknowledged, in bytes of payload. */
export interface Budget {
  bytes: number;
}

export interface InboundPorts {
  /** Takes a message in. Throws coded errors, at once or later, see {@link isHolding}. */
  handle(message: InboundMessage): Begun | Promise<Acknowledgement | void>;
  /** Takes one message from what the sender may send. Throws `RATE_LIMITED`. */
  count(): void;
  /** These are done, in the order in which they came. */
  acknowledge(messages: readonly InboundMessage[]): void;
  /** The moment is wrong for a message: it waits. */
  held(error: CodedError): void;
}

const isUnordered = ({ found }: InboundMessage): boolean => found === undefined || found.rule.unordered === true;

/**
 * The messages of one client, from when they come in until they are acknowledged, in the order in which they came [MQTT-4.6.0-2].
 * Unordered ones are worked on beside each other; others wait until all before them are done. One for which the moment is wrong waits
 * until it works, or the session ends.
 */
export class InboundMessages {
  private queue: InboundMessage[] = [];
  /** Where the first message is that is not started, or that was put back. */
  private next = 0;
  private orderedIsWorking = false;
  private hold: NodeJS.Timeout | undefined;
  private acknowledging = false;
  private ended = false;
  /** The messages that wait for the promise that was given last. */
  private sharing: { durable: Promise<void>; messages: InboundMessage[] } | undefined;
  /** Bytes of the payloads that are not acknowledged. */
  bytes = 0;
  /** Messages of QoS 1 and 2 that are not acknowledged. */
  numbered = 0;

  constructor(
    private readonly ports: InboundPorts,
    private readonly budget: Budget,
  ) {}

  /** Messages that are not acknowledged. */
  get count(): number {
    return this.queue.length;
  }

  /** Takes a message that was found in the table, or refused. */
  add(message: InboundMessage): void {
    this.queue.push(message);
    this.weigh(message.size);
    if (message.qos > 0) this.numbered += 1;
    this.start();
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.hold);
    this.queue = [];
    this.weigh(-this.bytes);
  }

  private weigh(bytes: number): void {
    this.bytes += bytes;
    this.budget.bytes += bytes;
  }

  private start(): void {
    while (!this.hold && this.next < this.queue.length) {
      const message = this.queue[this.next];
      if (message?.state === 'waiting') {
        if (this.orderedIsWorking || !this.mayStart(message)) return;
        if (!message.counted && !this.isCounted(message)) return;
        if (message.refusal) this.finish(message);
        else this.work(message);
      }
      this.next += 1;
    }
  }

  private mayStart(message: InboundMessage): boolean {
    return isUnordered(message) || this.next === 0;
  }

  private isCounted(message: InboundMessage): boolean {
    try {
      this.ports.count();
      message.counted = true;
      return true;
    } catch (thrown) {
      this.holdBack(toCoded(thrown));
      return false;
    }
  }

  private work(message: InboundMessage): void {
    message.state = 'working';
    if (!isUnordered(message)) this.orderedIsWorking = true;
    try {
      const begun = this.ports.handle(message);
      if ('durable' in begun) this.share(message, begun);
      else void this.wait(message, begun);
    } catch (thrown) {
      this.failed(message, thrown);
    }
  }

  private async wait(message: InboundMessage, answer: Promise<Acknowledgement | void>): Promise<void> {
    try {
      message.answer = (await answer) ?? undefined;
      this.finish(message);
    } catch (thrown) {
      this.failed(message, thrown);
    }
  }

  /** What shares a promise waits for it together. */
  private share(message: InboundMessage, { durable, answer }: Begun): void {
    message.answer = answer;
    if (this.sharing?.durable !== durable) {
      const messages: InboundMessage[] = [];
      this.sharing = { durable, messages };
      durable.then(
        () => {
          for (const each of messages) this.finish(each);
        },
        (thrown: unknown) => {
          for (const each of messages) this.failed(each, thrown);
        },
      );
    }
    this.sharing.messages.push(message);
  }

  private failed(message: InboundMessage, thrown: unknown): void {
    const error = toCoded(thrown);
    if (!isHolding(error)) {
      message.refusal = error;
      this.finish(message);
      return;
    }
    message.state = 'waiting';
    message.answer = undefined;
    if (!isUnordered(message)) this.orderedIsWorking = false;
    this.holdBack(error);
  }

  private holdBack(error: CodedError): void {
    if (this.hold || this.ended) return;
    this.ports.held(error);
    this.hold = setTimeout(() => {
      this.hold = undefined;
      this.next = 0;
      this.start();
    }, error.retryAfterMs ?? HOLD_MS);
  }

  /** What is done in one turn of the event loop is acknowledged together. */
  private finish(message: InboundMessage): void {
    if (message.state === 'working' && !isUnordered(message)) this.orderedIsWorking = false;
    message.state = 'done';
    if (this.acknowledging) return;
    this.acknowledging = true;
    process.nextTick(() => {
      this.acknowledging = false;
      this.acknowledge();
    });
  }

  private acknowledge(): void {
    if (this.ended) return;
    let done = 0;
    for (const message of this.queue) {
      if (message.state !== 'done') break;
      this.weigh(-message.size);
      if (message.qos > 0) this.numbered -= 1;
      done += 1;
    }
    const messages = this.queue.splice(0, done);
    this.next = Math.max(0, this.next - done);
    this.ports.acknowledge(messages);
    this.start();
  }
}
