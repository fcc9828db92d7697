import type { IClientOptions, IConnackPacket, IDisconnectPacket, MqttClient, Packet } from 'mqtt';
import type { DeviceCredentials } from './credentials.ts';
import { type SaidProperties, troubleOf } from './mqtt-codes.ts';
import type { Closing, LinkBounds } from './transport.ts';

export interface MqttLinkOptions {
  /** `mqtt://host:1883`, `mqtts://host:8883`, `ws://host/mqtt` or `wss://host/mqtt`. */
  url: string;
  connectTimeoutMs: number;
}

/** Seconds after which a link on which nothing comes back is given up, one and a half times over (section 3.1.2.10). */
const KEEP_ALIVE_SECONDS = 30;
/** The largest packet that we take: a chunk of firmware, or a command with large parameters. */
const TAKEN_BYTES = 1_048_576;
/** Packets without a PUBACK where the platform does not say (section 3.2.2.3.3 says 65,535; no device needs as many). */
const RECEIVE_MAXIMUM = 100;
/** Room for what surrounds the payload of a batch: header, topic, packet id, batch id. */
const ENVELOPE_BYTES = 256;
/** How long taking leave may take before the stream is torn down, in milliseconds. */
const LEAVE_MS = 1_000;

/** Something to publish with QoS 1; `answered` gets the reason code of its PUBACK and what came with it. */
export interface Outgoing {
  topic: string;
  payload: string;
  batchId?: string;
  answered: (reasonCode: number, said: SaidProperties) => void;
}

/** What a session tells. */
export interface LinkEvents {
  opened(bounds: LinkBounds): void;
  closed(closing: Closing): void;
  message(topic: string, payload: Buffer): void;
}

/** One MQTT session, from CONNECT to the end of its network connection. */
export class MqttLink {
  isOpen = false;
  private readonly end = new AbortController();
  private readonly expected = new Map<string, (payload: Buffer) => void>();
  private readonly subscribed = new Set<string>();
  private readonly waiting: Outgoing[] = [];
  private client: MqttClient | undefined;
  private left = false;
  private unacknowledged = 0;
  private receiveMaximum = RECEIVE_MAXIMUM;
  private packetBytes = Infinity;
  private puback: { reasonCode?: number; properties?: SaidProperties } = {};
  private closing: Closing | undefined;

  constructor(
    private readonly options: MqttLinkOptions,
    private readonly clientId: string,
    private readonly events: LinkEvents,
  ) {}

  /** Aborted when the session has ended. */
  get ended(): AbortSignal {
    return this.end.signal;
  }

  async open(credentials: DeviceCredentials): Promise<void> {
    try {
      const { connect } = await import('mqtt');
      if (this.left) return;
      this.client = connect(this.options.url, connectOptions(this.options, this.clientId, credentials));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.client.on('packetreceive', (packet) => this.onPacket(packet));
    this.client.on('connect', (packet) => this.onConnack(packet));
    this.client.on('message', (topic, payload) => this.onMessage(topic, payload));
    this.client.on('disconnect', (packet) => this.onDisconnect(packet));
    this.client.on('error', (error) => this.onError(error));
    this.client.on('close', () => this.onClose());
  }

  leave(dead: boolean): void {
    this.left = true;
    this.isOpen = false;
    this.end.abort();
    const { client } = this;
    if (!client || dead || !client.connected) {
      client?.end(true);
      return;
    }
    for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
    client.end(false);
    setTimeout(() => client.stream.destroy(), LEAVE_MS).unref();
  }

  once(topic: string, take: (payload: Buffer) => void): void {
    this.expected.set(topic, take);
  }

  subscribe(filters: readonly string[]): void {
    const missing = filters.filter((filter) => !this.subscribed.has(filter));
    if (missing.length === 0) return;
    missing.forEach((filter) => this.subscribed.add(filter));
    this.client?.subscribe([...missing], { qos: 1 }, () => undefined);
  }

  publish(outgoing: Outgoing): void {
    this.waiting.push(outgoing);
    this.send();
  }

  /** No more than the platform takes without having acknowledged it (section 3.2.2.3.3). */
  private send(): void {
    while (this.isOpen && this.unacknowledged < this.receiveMaximum) {
      const next = this.waiting.shift();
      if (!next) return;
      if (isTooLarge(next, this.packetBytes)) next.answered(0x95, {});
      else this.transmit(next);
    }
  }

  private transmit({ topic, payload, batchId, answered }: Outgoing): void {
    this.unacknowledged += 1;
    const properties = batchId === undefined ? undefined : { userProperties: { batchId } };
    this.client?.publish(topic, payload, { qos: 1, ...(properties ? { properties } : {}) }, (error) => {
      this.unacknowledged -= 1;
      if (!this.isOpen || isNoAcknowledgement(error)) return;
      answered(this.puback.reasonCode ?? 0, this.puback.properties ?? {});
      this.send();
    });
  }

  /** The library hands no acknowledgement on to a callback that it calls without an error: it is kept from here until then. */
  private onPacket(packet: Packet): void {
    if (packet.cmd === 'puback') this.puback = packet;
    if (packet.cmd === 'connack' && packet.reasonCode) this.refuse(packet.reasonCode, packet.properties ?? {});
  }

  private refuse(reasonCode: number, said: SaidProperties): void {
    const trouble = troubleOf(reasonCode, said);
    this.closing = { reason: `${trouble.code}: ${trouble.message}`, trouble };
  }

  private onConnack({ properties = {} }: IConnackPacket): void {
    if (this.left) return;
    this.receiveMaximum = Math.min(properties.receiveMaximum ?? RECEIVE_MAXIMUM, RECEIVE_MAXIMUM);
    this.packetBytes = properties.maximumPacketSize ?? Infinity;
    this.isOpen = true;
    this.events.opened({
      batchBytes: Math.max(1, this.packetBytes - ENVELOPE_BYTES),
      inFlight: this.receiveMaximum,
      deadAfter: 1,
    });
  }

  private onMessage(topic: string, payload: Buffer): void {
    if (this.left) return;
    const take = this.expected.get(topic);
    this.expected.delete(topic);
    if (take) take(payload);
    else this.events.message(topic, payload);
  }

  private onDisconnect({ reasonCode = 0, properties }: IDisconnectPacket): void {
    if (reasonCode >= 0x80) this.refuse(reasonCode, properties ?? {});
    this.client?.end(true);
  }

  private onError(error: Error): void {
    this.closing ??= { reason: `No connection to ${withoutSecrets(this.options.url)}: ${error.message}.` };
    this.client?.end(true);
  }

  private onClose(): void {
    if (this.left) return;
    this.leave(true);
    this.events.closed(this.closing ?? { reason: `The connection to ${withoutSecrets(this.options.url)} was lost.` });
  }

  private fail(error: unknown): void {
    this.onError(error instanceof Error ? error : new Error(String(error)));
    this.onClose();
  }
}

function connectOptions(
  { connectTimeoutMs }: MqttLinkOptions,
  clientId: string,
  credentials: DeviceCredentials,
): IClientOptions {
  const shown =
    'token' in credentials
      ? { username: credentials.token }
      : { username: credentials.userName, password: credentials.password };
  return {
    ...shown,
    clientId,
    protocolVersion: 5,
    clean: true,
    keepalive: KEEP_ALIVE_SECONDS,
    reconnectPeriod: 0,
    connectTimeout: connectTimeoutMs,
    resubscribe: false,
    properties: { maximumPacketSize: TAKEN_BYTES, receiveMaximum: RECEIVE_MAXIMUM },
  };
}

/** The library makes an error with the code of an acknowledgement that refuses, and one without for a link that ended. */
const isNoAcknowledgement = (error: Error | null | undefined): boolean => Boolean(error) && !('code' in (error ?? {}));

const isTooLarge = ({ topic, payload }: Outgoing, packetBytes: number): boolean =>
  Buffer.byteLength(payload) + Buffer.byteLength(topic) + ENVELOPE_BYTES > packetBytes;

function withoutSecrets(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
