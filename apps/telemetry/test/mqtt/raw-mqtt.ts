import { createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { generate, parser, type IConnectPacket, type Packet, type PacketCmd } from 'mqtt-packet';
import { waitUntil } from '#testing';

export type Version = 3 | 4 | 5;
type Answer<C extends PacketCmd> = Extract<Packet, { cmd: C }>;

/** A client of MQTT that does nothing by itself, and can do anything. */
export class RawMqtt {
  /** What came in and was not asked for yet. */
  readonly packets: Packet[] = [];
  isClosed = false;

  constructor(
    readonly stream: Duplex,
    readonly version: Version,
    { reads = true }: { reads?: boolean } = {},
  ) {
    const reader = parser({ protocolVersion: version });
    reader.on('packet', (packet) => this.packets.push(packet));
    if (reads) stream.on('data', (chunk: Buffer) => reader.parse(chunk));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.isClosed = true;
    });
  }

  /** A TCP connection on which nothing was said yet. */
  static async open(port: number, version: Version = 4, options: { reads?: boolean } = {}): Promise<RawMqtt> {
    const socket: Socket = createConnection(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return new RawMqtt(socket, version, options);
  }

  /** A connection with this CONNECT, and the answer to it. */
  static async connected(
    port: number,
    version: Version,
    more: Partial<IConnectPacket>,
  ): Promise<{ client: RawMqtt; connack: Answer<'connack'> }> {
    const client = await RawMqtt.open(port, version);
    client.connect(more);
    return { client, connack: await client.next('connack') };
  }

  connect(more: Partial<IConnectPacket>): void {
    this.send({
      cmd: 'connect',
      protocolId: this.version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: this.version,
      clean: true,
      keepalive: 60,
      clientId: 'test',
      ...more,
    });
  }

  send(...packets: Packet[]): void {
    this.write(...packets.map((packet) => generate(packet, { protocolVersion: this.version })));
  }

  write(...bytes: (Buffer | number[])[]): void {
    this.stream.write(Buffer.concat(bytes.map((each) => Buffer.from(each))));
  }

  publish(topic: string, payload: unknown, more: { qos?: 0 | 1 | 2; messageId?: number; retain?: boolean } = {}): void {
    const { qos = 1, messageId = 1, retain = false } = more;
    const text = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    this.send({ cmd: 'publish', topic, payload: text, qos, messageId, retain, dup: false });
  }

  /** The next packet of this kind; others that came before it stay. */
  async next<C extends PacketCmd>(cmd: C): Promise<Answer<C>> {
    const is = (packet: Packet): packet is Answer<C> => packet.cmd === cmd;
    const packet = await waitUntil(() => this.packets.find(is), { what: `${cmd} comes` });
    this.packets.splice(this.packets.indexOf(packet), 1);
    return packet;
  }

  async closed(): Promise<void> {
    await waitUntil(() => this.isClosed, { what: 'the connection is closed' });
  }

  /** Everything sent so far was worked on: the answer to a PINGREQ is here. */
  async settled(): Promise<void> {
    this.send({ cmd: 'pingreq' });
    await this.next('pingresp');
  }

  end(): void {
    this.stream.destroy();
  }
}
