import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import type { ReadingInput } from '#contracts';
import mqttPacket, { type IConnectPacket, type IPublishPacket, type ISubscribePacket, type Packet } from 'mqtt-packet';
import type { DeviceCredentials } from '../src/link/credentials.ts';
import type { AttributesChange } from '../src/link/transport.ts';
import { type Answer, Platform, type Refusal, type SentCommand } from './platform.ts';

/** Reason codes that stand for what the platform says. */
const REASONS: Record<string, number> = {
  BUSY: 0x89,
  RATE_LIMITED: 0x97,
  UNAVAILABLE: 0x97,
  INTERNAL: 0x83,
  INVALID_INPUT: 0x99,
  BAD_PAYLOAD: 0x99,
  BAD_ATTRIBUTE: 0x99,
  TOKEN_EXPIRED: 0x87,
  TOKEN_REVOKED: 0x98,
};
/** Those of a PUBACK, which has fewer (section 3.4.2.1). */
const PUBACK_REASONS: Record<string, number> = { ...REASONS, BUSY: 0x97, TOKEN_REVOKED: 0x87 };
/** What a device makes of them. */
const SEEN: Record<string, string> = {
  UNAVAILABLE: 'RATE_LIMITED',
  INVALID_INPUT: 'BAD_PAYLOAD',
  BAD_ATTRIBUTE: 'BAD_PAYLOAD',
  TOKEN_EXPIRED: 'UNAUTHENTICATED',
};

interface Session {
  socket: Socket;
  shown: DeviceCredentials;
  filters: Set<string>;
  unacknowledged: number;
}

/** A platform by MQTT 5 on a free port. */
export class FakeMqttPlatform extends Platform {
  /** What the CONNACK says. */
  connack: { receiveMaximum?: number; maximumPacketSize?: number } = {};
  readonly clientIds: string[] = [];
  /** Packets that came, without those of readings: topic and payload. */
  readonly published: [topic: string, payload: string][] = [];
  /** The most publishes that were without an acknowledgement at a time. */
  mostUnacknowledged = 0;
  /** The largest publish, in bytes of its payload. */
  largest = 0;
  private readonly sockets = new Set<Socket>();
  private readonly sessions = new Set<Session>();
  private readonly server: Server = createServer((socket) => this.onSocket(socket));
  private messageId = 0;

  /** Without a port, the system picks a free one. */
  constructor(public port = 0) {
    super();
  }

  get options() {
    return { url: 'http://127.0.0.1:9', transport: 'mqtt', mqttUrl: `mqtt://127.0.0.1:${this.port}` } as const;
  }

  get links(): number {
    return this.sessions.size;
  }

  seen(code: string): string {
    return SEEN[code] ?? code;
  }

  get takesCommands(): boolean {
    return [...this.sessions].some(({ filters }) => filters.has('v1/devices/me/rpc/request/+'));
  }

  get listensToAttributes(): boolean {
    return [...this.sessions].some(({ filters }) => filters.has('v1/devices/me/attributes'));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    const address = this.server.address();
    if (isAddress(address)) this.port = address.port;
    return this;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Ends every link with a DISCONNECT. */
  dismiss(reasonCode: number, reasonString?: string): void {
    for (const session of this.sessions) {
      write(session, { cmd: 'disconnect', reasonCode, properties: reasonString === undefined ? {} : { reasonString } });
      session.socket.end();
    }
  }

  sendCommand({ number, method, params }: SentCommand): void {
    this.push(`v1/devices/me/rpc/request/${number}`, { method, params }, 'v1/devices/me/rpc/request/+');
  }

  tellShared({ changed, deleted }: AttributesChange): void {
    const message = deleted.length > 0 ? { ...changed, deleted } : changed;
    this.push('v1/devices/me/attributes', message, 'v1/devices/me/attributes');
  }

  /** Sends bytes as they are, whatever they mean. */
  sendRaw(topic: string, payload: string): void {
    for (const session of this.sessions) this.publish(session, topic, payload);
  }

  private push(topic: string, content: unknown, filter?: string): void {
    for (const session of this.sessions) {
      if (filter === undefined || session.filters.has(filter)) this.publish(session, topic, JSON.stringify(content));
    }
  }

  private publish(session: Session, topic: string, payload: string | Buffer): void {
    this.messageId = (this.messageId % 65_535) + 1;
    write(session, { cmd: 'publish', topic, payload, qos: 1, dup: false, retain: false, messageId: this.messageId });
  }

  private onSocket(socket: Socket): void {
    this.sockets.add(socket);
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    const session: Session = { socket, shown: { token: '' }, filters: new Set(), unacknowledged: 0 };
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => parser.parse(bytes));
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.sessions.delete(session);
    });
    parser.on('packet', (packet) => this.onPacket(session, packet));
    parser.on('error', () => socket.destroy());
  }

  private onPacket(session: Session, packet: Packet): void {
    if (packet.cmd === 'connect') this.onConnect(session, packet);
    if (packet.cmd === 'publish') this.onPublish(session, packet);
    if (packet.cmd === 'subscribe') this.onSubscribe(session, packet);
    if (packet.cmd === 'pingreq') write(session, { cmd: 'pingresp' });
    if (packet.cmd === 'disconnect') session.socket.end();
  }

  private onConnect(session: Session, { clientId, username = '', password }: IConnectPacket): void {
    this.clientIds.push(clientId);
    session.shown = password ? { userName: username, password: password.toString() } : { token: username };
    this.handshakes.push(session.shown);
    const refusal = this.admit(session.shown);
    const reasonCode = refusal ? (REASONS[refusal.code] ?? 0x80) : 0;
    const properties = refusal ? told(refusal) : this.connack;
    write(session, { cmd: 'connack', reasonCode, sessionPresent: false, properties });
    if (refusal) session.socket.end();
    else this.sessions.add(session);
  }

  private onSubscribe(session: Session, { messageId, subscriptions }: ISubscribePacket): void {
    for (const { topic } of subscriptions) session.filters.add(topic);
    write(session, { cmd: 'suback', messageId, granted: subscriptions.map(() => 1) });
  }

  private onPublish(session: Session, packet: IPublishPacket): void {
    const { topic, payload, messageId } = packet;
    session.unacknowledged += 1;
    this.mostUnacknowledged = Math.max(this.mostUnacknowledged, session.unacknowledged);
    this.largest = Math.max(this.largest, payload.length);
    const acknowledge = (answer: Answer | { ok: true }) =>
      setImmediate(() => {
        session.unacknowledged -= 1;
        write(session, { cmd: 'puback', messageId, ...acknowledgement(answer) });
      });
    if (topic === 'device/me/data') this.onReadings(session, packet, acknowledge);
    else {
      this.published.push([topic, payload.toString()]);
      this.onTopic(session, topic, payload.toString(), acknowledge);
    }
  }

  private onReadings(session: Session, packet: IPublishPacket, acknowledge: (answer: Answer) => void): void {
    const batchId = String(packet.properties?.userProperties?.['batchId']);
    const readings = JSON.parse(packet.payload.toString()) as ReadingInput[];
    const answer = this.onBatch({
      batchId,
      readings,
      credentials: session.shown,
      cut: () => session.socket.destroy(),
      dismiss: () => {
        write(session, { cmd: 'disconnect', reasonCode: 0x8b });
        session.socket.end();
      },
    });
    if (answer) acknowledge(answer);
  }

  private onTopic(
    session: Session,
    topic: string,
    payload: string,
    acknowledge: (answer: Answer | { ok: true }) => void,
  ) {
    const number = Number(/\d+/.exec(topic.replace(/^v\d/, ''))?.[0]);
    if (topic === 'v1/devices/me/attributes') {
      const answer = this.onReport(JSON.parse(payload) as Record<string, unknown>);
      if (answer) acknowledge(answer);
      return;
    }
    acknowledge({ ok: true });
    if (topic.startsWith('v1/devices/me/attributes/request/')) this.onAttributesRequest(session, number, payload);
    if (topic.startsWith('v1/devices/me/rpc/response/')) this.onAnswer(number, JSON.parse(payload));
    if (topic === 'v1/devices/me/telemetry') this.onTelemetry(JSON.parse(payload) as Record<string, unknown>);
    if (topic.startsWith('v2/fw/request/')) this.onChunkRequest(session, topic, Number(payload));
  }

  private onAttributesRequest(session: Session, id: number, payload: string): void {
    const { clientKeys, sharedKeys } = JSON.parse(payload) as Record<string, string | undefined>;
    const all = clientKeys === undefined && sharedKeys === undefined;
    const scopes = {
      client: all ? this.client : pick(this.client, clientKeys),
      shared: all ? this.shared : pick(this.shared, sharedKeys),
    };
    const found = Object.entries(scopes).filter(([, scope]) => Object.keys(scope).length > 0);
    this.publish(session, `v1/devices/me/attributes/response/${id}`, JSON.stringify(Object.fromEntries(found)));
  }

  private onAnswer(number: number, answer: unknown): void {
    const isError = typeof answer === 'object' && answer !== null && 'error' in answer;
    this.answers.push({
      number,
      outcome: isError ? { ok: false, error: String(answer.error) } : { ok: true, result: answer },
    });
  }

  private onTelemetry(values: Record<string, unknown>): void {
    this.states.push({ state: values['fw_state'], version: values['current_fw_version'], error: values['fw_error'] });
  }

  private onChunkRequest(session: Session, topic: string, bytes: number): void {
    const chunk = Number(topic.split('/').at(-1));
    const offset = chunk * bytes;
    if (offset < this.firmware.length) this.loads.push(offset);
    if (!this.give(offset)) session.socket.destroy();
    else this.publish(session, topic.replace('request', 'response'), this.firmware.subarray(offset, offset + bytes));
  }
}

function acknowledgement(answer: Answer | { ok: true }): { reasonCode: number; properties?: object } {
  if (!answer.ok) return { reasonCode: PUBACK_REASONS[answer.code] ?? 0x80, properties: told(answer) };
  if (!('rejected' in answer) || (answer.accepted > 0 && answer.rejected.length === 0)) return { reasonCode: 0 };
  const properties = { userProperties: { receipt: JSON.stringify(answer) } };
  return { reasonCode: answer.accepted === 0 ? 0x99 : 0, properties };
}

const told = ({ message, retryAfterMs }: Omit<Refusal, 'ok'>): object => ({
  reasonString: message,
  ...(retryAfterMs === undefined ? {} : { userProperties: { retryAfterMs: String(retryAfterMs) } }),
});

const write = ({ socket }: Session, packet: Packet): void => {
  if (!socket.destroyed) socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
};

const pick = (all: Record<string, unknown>, keys: string | undefined): Record<string, unknown> =>
  Object.fromEntries((keys?.split(',') ?? []).filter((key) => key in all).map((key) => [key, all[key]]));

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;
