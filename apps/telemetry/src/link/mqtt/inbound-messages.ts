import type { CodedError } from '#contracts';
import { toCoded } from '#platform';
import type { PublishPacket } from './packet-codec.ts';
import { isHolding } from './reason-codes.ts';
import type { Acknowledgement } from './topic-handler.ts';
import type { FoundTopic } from './topics.ts';

const WAITING = 0;
const WORKING = 1;
const DONE = 2;

/** How long a message is held back when nobody says how long, in ms. */
const HOLD_MS = 1_000;

/** A message of the client on its way to being acknowledged. */
export interface InboundMessage {
  readonly packet: PublishPacket;
  /** Undefined for one that is refused. */
  readonly found: FoundTopic | undefined;
  answer: Acknowledgement | undefined;
  refusal: CodedError | undefined;
  state: typeof WAITING | typeof WORKING | typeof DONE;
  /** Was it counted by the rate limit? */
  counted: boolean;
}

export interface InboundPorts {
  /** Takes a message in. Throws coded errors, see {@link isHolding}. */
  handle(message: InboundMessage, found: FoundTopic): Promise<Acknowledgement | void>;
  /** Takes one message from what the sender may send. Throws `RATE_LIMITED`. */
  count(): void;
  /** These are done, in the order in which they came. */
  acknowledge(messages: readonly InboundMessage[]): void;
  /** The moment is wrong for a message: it waits. */
  held(error: CodedError): void;
}

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
  /** Bytes of the payloads that are not acknowledged. */
  bytes = 0;
  /** Messages of QoS 1 and 2 that are not acknowledged. */
  numbered = 0;

  constructor(private readonly ports: InboundPorts) {}

  /** Messages that are not acknowledged. */
  get count(): number {
    return this.queue.length;
  }

  add(packet: PublishPacket, found: FoundTopic | undefined, refusal?: CodedError): void {
    const state = refusal ? DONE : WAITING;
    this.queue.push({ packet, found, answer: undefined, refusal, state, counted: false });
    this.bytes += packet.payload.length;
    if (packet.qos > 0) this.numbered += 1;
    if (refusal) this.finish();
    this.start();
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.hold);
    this.queue = [];
    this.bytes = 0;
  }

  private start(): void {
    while (!this.hold && this.next < this.queue.length) {
      const message = this.queue[this.next];
      if (message?.state === WAITING) {
        if (this.orderedIsWorking || !this.mayStart(message)) return;
        if (!message.counted && !this.isCounted(message)) return;
        void this.work(message);
      }
      this.next += 1;
    }
  }

  private mayStart({ found }: InboundMessage): boolean {
    return found?.rule.unordered === true || this.next === 0;
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

  private async work(message: InboundMessage): Promise<void> {
    const { found } = message;
    if (!found) return;
    const isOrdered = found.rule.unordered !== true;
    message.state = WORKING;
    if (isOrdered) this.orderedIsWorking = true;
    try {
      message.answer = (await this.ports.handle(message, found)) ?? undefined;
      message.state = DONE;
    } catch (thrown) {
      this.failed(message, toCoded(thrown));
    }
    if (isOrdered) this.orderedIsWorking = false;
    if (message.state === DONE) this.finish();
  }

  private failed(message: InboundMessage, error: CodedError): void {
    if (isHolding(error)) {
      message.state = WAITING;
      this.holdBack(error);
    } else {
      message.refusal = error;
      message.state = DONE;
    }
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
  private finish(): void {
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
    for (const { state, packet } of this.queue) {
      if (state !== DONE) break;
      this.bytes -= packet.payload.length;
      if (packet.qos > 0) this.numbered -= 1;
      done += 1;
    }
    const messages = this.queue.splice(0, done);
    this.next = Math.max(0, this.next - done);
    this.ports.acknowledge(messages);
    this.start();
  }
}
