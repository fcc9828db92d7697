import { CodedError } from '#contracts';
import { encode, type ProtocolVersion } from './packet-codec.ts';

/** Messages that a client may leave unacknowledged at most, whatever it says of itself. */
const MOST_IN_FLIGHT = 1_000;
/** Messages, and their bytes, that may wait for a client at most. */
const MOST_WAITING = 1_000;
const MOST_WAITING_BYTES = 4_194_304;

interface OutboundMessage {
  topic: string;
  payload: Buffer;
  resolve: () => void;
  reject: (error: CodedError) => void;
}

/** What a client said about what it takes. */
export interface OutboundLimits {
  version: ProtocolVersion;
  /** Messages that may be unacknowledged [MQTT-3.3.4-9]. */
  receiveMaximum: number;
  /** Bytes of a packet [MQTT-3.1.2-24]. */
  maximumPacketSize: number;
}

/** Messages to one client: sent with an identifier each, kept until it has them, no more at once than it takes. */
export class OutboundMessages {
  private readonly inFlight = new Map<number, OutboundMessage>();
  private readonly waiting: OutboundMessage[] = [];
  private waitingBytes = 0;
  private lastId = 0;
  private end_: CodedError | undefined;

  constructor(
    private readonly limits: OutboundLimits,
    private readonly write: (bytes: Buffer) => void,
    /** The client takes too little of what it is sent. */
    private readonly overflow: () => void,
  ) {}

  /** Resolves once the client has it; at QoS 0, once it is written. */
  async send(topic: string, payload: Buffer | string, qos: 0 | 1): Promise<void> {
    if (this.end_) throw this.end_;
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    if (qos === 0) {
      this.write(this.packetOf(topic, bytes, 0));
      return;
    }
    await this.acknowledged(topic, bytes);
  }

  /** The client has, or refuses, the message with this identifier. False if there is none. */
  acknowledge(packetId: number, reasonCode: number): boolean {
    const message = this.inFlight.get(packetId);
    if (!message) return false;
    this.inFlight.delete(packetId);
    if (reasonCode < 0x80) message.resolve();
    else
      message.reject(
        new CodedError('BAD_PAYLOAD', `The device refused the message: reason 0x${reasonCode.toString(16)}.`),
      );
    this.sendWaiting();
    return true;
  }

  end(error: CodedError): void {
    this.end_ = error;
    for (const { reject } of [...this.inFlight.values(), ...this.waiting]) reject(error);
    this.inFlight.clear();
    this.waiting.length = 0;
  }

  private acknowledged(topic: string, payload: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ topic, payload, resolve, reject });
      this.waitingBytes += payload.length;
      this.sendWaiting();
      if (this.waiting.length > MOST_WAITING || this.waitingBytes > MOST_WAITING_BYTES) this.overflow();
    });
  }

  private sendWaiting(): void {
    const most = Math.min(this.limits.receiveMaximum, MOST_IN_FLIGHT);
    while (this.inFlight.size < most) {
      const message = this.waiting.shift();
      if (!message) return;
      this.waitingBytes -= message.payload.length;
      this.transmit(message);
    }
  }

  private transmit(message: OutboundMessage): void {
    try {
      const packetId = this.newId();
      this.write(this.packetOf(message.topic, message.payload, packetId));
      this.inFlight.set(packetId, message);
    } catch (thrown) {
      message.reject(
        thrown instanceof CodedError ? thrown : new CodedError('INTERNAL', 'It could not be sent.', { cause: thrown }),
      );
    }
  }

  /** An identifier that is not in use [MQTT-2.2.1-4]. */
  private newId(): number {
    do this.lastId = (this.lastId % 0xffff) + 1;
    while (this.inFlight.has(this.lastId));
    return this.lastId;
  }

  private packetOf(topic: string, payload: Buffer, messageId: number): Buffer {
    const { version, maximumPacketSize } = this.limits;
    const qos = messageId === 0 ? 0 : 1;
    const bytes = encode({ cmd: 'publish', topic, payload, qos, dup: false, retain: false, messageId }, version);
    if (bytes.length <= maximumPacketSize) return bytes;
    throw new CodedError(
      'PACKET_TOO_LARGE',
      `The message would make a packet of ${String(bytes.length)} bytes; the device takes ${String(maximumPacketSize)}.`,
    );
  }
}
