import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
import type { Answer, Channel } from './channel.ts';

/** First bytes of packets (MQTT 5 section 2.1.2). */
const CONNACK = 0x20;
const PUBLISH_QOS_1 = 0x32;
const PUBACK = 0x40;
/** Packet ids are of 16 bits, and never 0. */
const PACKET_IDS = 65_535;
/** An empty list of properties. */
const NO_PROPERTIES = 0;

/** What a client publishes on, and in which version. */
export interface MqttChannelOptions {
  url: string;
  userName?: string;
  topic: string;
  keepAliveSeconds?: number;
}

/**
 * A bare MQTT 5 connection that publishes with QoS 1. Packets are written and read by hand, as little as that takes: the generator's own
 * work costs the server.
 */
export class MqttChannel implements Channel {
  private socket: Socket | undefined;
  private readonly topic: Buffer;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private rest: Buffer = Buffer.alloc(0);
  private packetId = 0;
  private isCorked = false;

  constructor(
    private readonly options: MqttChannelOptions,
    private readonly onClosed: () => void = () => undefined,
  ) {
    const topic = Buffer.from(options.topic);
    this.topic = Buffer.concat([Buffer.from([topic.length >> 8, topic.length & 0xff]), topic]);
  }

  /** Rejects when the connection is refused, or cannot be made. */
  connect(): Promise<void> {
    const { url, userName, keepAliveSeconds = 60 } = this.options;
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        const login = userName === undefined ? {} : { username: userName };
        socket.write(
          generate(
            {
              cmd: 'connect',
              protocolId: 'MQTT',
              protocolVersion: 5,
              clientId: '',
              clean: true,
              keepalive: keepAliveSeconds,
              ...login,
            },
            { protocolVersion: 5 },
          ),
        );
      });
      socket.setNoDelay(true);
      this.socket = socket;
      socket.on('error', reject);
      socket.on('close', () => {
        reject(new Error(`${url} closed the connection`));
        this.onClosed();
      });
      socket.on('data', (chunk) => {
        this.read(chunk, (reason) => {
          if (reason === 0) resolve();
          else reject(new Error(`${url} refused the connection with ${String(reason)}`));
        });
      });
    });
  }

  send(payload: object, answered: (answer: Answer) => void): void {
    const { socket } = this;
    if (!socket) throw new Error('not connected');
    const body = Buffer.from(JSON.stringify(payload));
    this.packetId = (this.packetId % PACKET_IDS) + 1;
    this.waiting.set(this.packetId, answered);
    const length = this.topic.length + 3 + body.length;
    if (!this.isCorked) this.corkForNow(socket);
    socket.write(Buffer.concat([header(PUBLISH_QOS_1, length), this.topic, idAndProperties(this.packetId), body]));
  }

  ping(): void {
    this.socket?.write(Buffer.from([0xc0, 0]));
  }

  disconnect(): void {
    this.socket?.destroy();
  }

  /** Everything of one turn leaves together. */
  private corkForNow(socket: Socket): void {
    this.isCorked = true;
    socket.cork();
    process.nextTick(() => {
      this.isCorked = false;
      socket.uncork();
    });
  }

  private read(chunk: Buffer, connected: (reason: number) => void): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    for (;;) {
      const packet = packetAt(bytes, at);
      if (!packet) break;
      if (packet.type === CONNACK) connected(bytes[packet.start + 1] ?? 0);
      else if (packet.type === PUBACK) this.acknowledged(bytes, packet);
      at = packet.end;
    }
    this.rest = bytes.subarray(at);
  }

  /** A PUBACK of two bytes means success (MQTT 5 section 3.4.2.1). */
  private acknowledged(bytes: Buffer, { start, end }: Packet): void {
    const id = bytes.readUInt16BE(start);
    const reason = end - start > 2 ? (bytes[start + 2] ?? 0) : 0;
    const answered = this.waiting.get(id);
    this.waiting.delete(id);
    answered?.(reason < 0x80 ? { rejected: 0 } : { code: `0x${reason.toString(16)}`, retryAfterMs: 1_000 });
  }
}

interface Packet {
  type: number;
  start: number;
  end: number;
}

/** The packet that begins there, if all of it is there (section 2.1.4: the remaining length). */
function packetAt(bytes: Buffer, at: number): Packet | undefined {
  let length = 0;
  for (let i = 1; i <= 4; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** (i - 1);
    if (byte >= 0x80) continue;
    const start = at + i + 1;
    return start + length <= bytes.length ? { type: (bytes[at] ?? 0) & 0xf0, start, end: start + length } : undefined;
  }
  throw new Error('not MQTT');
}

function header(first: number, length: number): Buffer {
  const bytes = [first];
  for (let rest = length; ; rest >>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const idAndProperties = (id: number): Buffer => Buffer.from([id >> 8, id & 0xff, NO_PROPERTIES]);
