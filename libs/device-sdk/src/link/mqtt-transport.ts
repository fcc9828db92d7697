import { randomBytes } from 'node:crypto';
import type { ReadingInput } from '#contracts';
import type { IClientOptions, IConnackPacket, IDisconnectPacket, MqttClient, Packet } from 'mqtt';
import { z } from 'zod';
import { Receipt } from '../answers.ts';
import type { Clock } from '../clock.ts';
import type { DeviceCredentials } from './credentials.ts';
import { loadChunks } from './mqtt-firmware.ts';
import { type SaidProperties, troubleOf } from './mqtt-codes.ts';
import type {
  Answered,
  Closing,
  Command,
  CommandOutcome,
  FirmwareKind,
  FirmwareReport,
  LinkBounds,
  Topic,
  Transport,
  TransportListener,
  WantedAttributes,
} from './transport.ts';

export interface MqttTransportOptions {
  /** `mqtt://host:1883`, `mqtts://host:8883`, `ws://host/mqtt` or `wss://host/mqtt`. */
  url: string;
  connectTimeoutMs: number;
  /** How long a chunk of firmware may take, in milliseconds. */
  chunkTimeoutMs: number;
  clock: Clock;
}

/** The topics that are subscribed to for what a device listens to. */
const FILTERS: Readonly<Record<Topic, readonly string[]>> = {
  commands: ['v1/devices/me/rpc/request/+'],
  attributes: ['v1/devices/me/attributes'],
  firmware: ['v2/fw/response/+/chunk/+', 'v2/sw/response/+/chunk/+', 'v2/fw/error', 'v2/sw/error'],
};
const ATTRIBUTE_RESPONSES = 'v1/devices/me/attributes/response/+';

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

const CommandPayload = z.object({ method: z.string(), params: z.unknown().default(null) });
const Attributes = z.record(z.string(), z.unknown());
const AttributesResponse = z.object({ client: Attributes.default({}), shared: Attributes.default({}) });
const Keys = z.array(z.string());

interface Outgoing {
  topic: string;
  payload: string;
  batchId?: string;
  answered: (reasonCode: number, said: SaidProperties) => void;
}

/** Where a platform speaks MQTT unless it is said: at its own host, on the registered port (1883; 8883 with TLS). */
export function mqttUrlOf(url: string): string {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' ? `mqtts://${hostname}:8883` : `mqtt://${hostname}:1883`;
}

function checkUrl(url: string): void {
  if (URL.canParse(url) && /^(mqtts?|wss?):$/.test(new URL(url).protocol)) return;
  throw new Error('mqttUrl must be an address such as mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt.');
}

/** One client id for a process and device object, so that logs of the platform show what belongs together. */
const clientIdOf = (): string => `fieldline-${randomBytes(8).toString('hex')}`;

/** Links by MQTT 5. The library is loaded when the first link is opened. */
export class MqttTransport implements Transport {
  bounds: LinkBounds = { batchBytes: 0, inFlight: 1, deadAfter: 1 };
  private readonly clientId = clientIdOf();
  private link: MqttLink | undefined;
  private topics: ReadonlySet<Topic> = new Set();
  private requests = 0;

  constructor(
    private readonly options: MqttTransportOptions,
    private readonly listener: TransportListener,
  ) {
    checkUrl(options.url);
  }

  open(credentials: DeviceCredentials): void {
    const link: MqttLink = new MqttLink(this.options, this.clientId, {
      opened: (bounds) => this.onOpened(bounds),
      closed: (closing) => this.onClosed(link, closing),
      message: (topic, payload) => this.onMessage(topic, payload),
    });
    this.link = link;
    void link.open(credentials);
  }

  close(dead = false): void {
    const { link } = this;
    this.link = undefined;
    const wasOpen = link?.isOpen ?? false;
    link?.leave(dead);
    if (wasOpen) this.listener.closed({ reason: dead ? 'nothing came back any more' : 'closed by the device' });
  }

  listen(topics: ReadonlySet<Topic>): void {
    this.topics = topics;
    if (this.link?.isOpen) this.subscribe();
  }

  /** MQTT has no way to show new credentials on a link that is there, other than enhanced authentication. */
  renew(): boolean {
    return false;
  }

  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: Answered): void {
    this.publish('device/me/data', JSON.stringify(readings), batchId, (code, said) =>
      answered(receiptOf(code, said, batchId, readings.length)),
    );
  }

  /** The PUBACK has told it already. */
  confirmCommand(): void {
    return undefined;
  }

  answerCommand({ number }: Command, outcome: CommandOutcome, answered: Answered): void {
    const answer = outcome.ok ? (outcome.result ?? null) : { error: outcome.error };
    this.tell(`v1/devices/me/rpc/response/${number}`, answer, answered);
  }

  reportAttributes(attributes: Readonly<Record<string, unknown>>, answered: Answered): void {
    this.tell('v1/devices/me/attributes', attributes, answered);
  }

  getAttributes({ client, shared }: WantedAttributes, answered: Answered): void {
    const { link } = this;
    if (!link) return;
    this.requests += 1;
    const wanted = client === true || shared === true ? {} : { clientKeys: client?.join(), sharedKeys: shared?.join() };
    link.once(`v1/devices/me/attributes/response/${this.requests}`, (payload) => {
      const found = AttributesResponse.safeParse(jsonOf(payload)).data ?? { client: {}, shared: {} };
      answered({ ok: true, client: picked(found.client, client), shared: picked(found.shared, shared) });
    });
    link.subscribe([ATTRIBUTE_RESPONSES]);
    this.tell(`v1/devices/me/attributes/request/${this.requests}`, wanted, (answer) => {
      if (isRefusal(answer)) answered(answer);
    });
  }

  reportFirmware({ kind, state, error, current }: FirmwareReport, answered: Answered): void {
    const prefix = kind === 'firmware' ? 'fw' : 'sw';
    this.tell(
      'v1/devices/me/telemetry',
      {
        [`current_${prefix}_title`]: current.title,
        [`current_${prefix}_version`]: current.version,
        [`${prefix}_state`]: state,
        ...(error === undefined ? {} : { [`${prefix}_error`]: error }),
      },
      answered,
    );
  }

  loadFirmware(kind: FirmwareKind, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { link } = this;
    this.requests += 1;
    const prefix = kind === 'firmware' ? 'fw' : 'sw';
    const request = this.requests;
    return loadChunks(
      {
        request: (chunk, bytes) =>
          this.publishTo(link, `v2/${prefix}/request/${request}/chunk/${chunk}`, String(bytes)),
        onChunk: (chunk, take) => link?.once(`v2/${prefix}/response/${request}/chunk/${chunk}`, take),
        onError: (take) => link?.once(`v2/${prefix}/error`, (words) => take(words.toString())),
        ended: link?.ended ?? AbortSignal.abort(),
      },
      { offset, signal, clock: this.options.clock, timeoutMs: this.options.chunkTimeoutMs },
    );
  }

  private onOpened(bounds: LinkBounds): void {
    this.bounds = bounds;
    this.subscribe();
    this.listener.opened();
  }

  private onClosed(link: MqttLink, closing: Closing): void {
    if (this.link !== link) return;
    this.link = undefined;
    this.listener.closed(closing);
  }

  private subscribe(): void {
    this.link?.subscribe([...this.topics].flatMap((topic) => FILTERS[topic]));
  }

  private onMessage(topic: string, payload: Buffer): void {
    if (topic === 'v1/devices/me/attributes') this.onAttributes(payload);
    const number = /^v1\/devices\/me\/rpc\/request\/(\d+)$/.exec(topic)?.[1];
    if (number !== undefined) this.onCommand(number, payload);
  }

  private onCommand(number: string, payload: Buffer): void {
    const request = CommandPayload.safeParse(jsonOf(payload)).data;
    if (request) this.listener.command({ id: number, number: Number(number), ...request });
  }

  /** A change is a flat object; what was deleted is a list of keys under `deleted`. */
  private onAttributes(payload: Buffer): void {
    const message = Attributes.safeParse(jsonOf(payload)).data;
    if (!message) return;
    const { deleted, ...changed } = message;
    const keys = Keys.safeParse(deleted).data;
    this.listener.attributes(keys ? { changed, deleted: keys } : { changed: message, deleted: [] });
  }

  private tell(topic: string, content: unknown, answered: Answered): void {
    this.publish(topic, JSON.stringify(content), undefined, (code, said) =>
      answered(code === 0 ? { ok: true } : { ok: false, ...troubleOf(code, said) }),
    );
  }

  private publish(topic: string, payload: string, batchId: string | undefined, answered: Outgoing['answered']): void {
    this.link?.publish({ topic, payload, batchId, answered });
  }

  private publishTo(link: MqttLink | undefined, topic: string, payload: string): void {
    link?.publish({ topic, payload, answered: () => undefined });
  }
}

interface LinkEvents {
  opened(bounds: LinkBounds): void;
  closed(closing: Closing): void;
  message(topic: string, payload: Buffer): void;
}

/** One MQTT session, from CONNECT to the end of its network connection. */
class MqttLink {
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
    private readonly options: MqttTransportOptions,
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
  { connectTimeoutMs }: MqttTransportOptions,
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

/** The receipt of a batch as its PUBACK gives it: in the user property `receipt` unless everything was accepted. */
function receiptOf(code: number, said: SaidProperties, batchId: string, readings: number): unknown {
  const told = said.userProperties?.['receipt'];
  const receipt = typeof told === 'string' ? Receipt.safeParse(jsonOf(told)).data : undefined;
  if (receipt && (code === 0 || code === 0x99)) return receipt;
  if (code === 0 && told === undefined) return { ok: true, batchId, accepted: readings, rejected: [] };
  return { ok: false, ...troubleOf(code, said) };
}

/** The library makes an error with the code of an acknowledgement that refuses, and one without for a link that ended. */
const isNoAcknowledgement = (error: Error | null | undefined): boolean => Boolean(error) && !('code' in (error ?? {}));

const isTooLarge = ({ topic, payload }: Outgoing, packetBytes: number): boolean =>
  Buffer.byteLength(payload) + Buffer.byteLength(topic) + ENVELOPE_BYTES > packetBytes;

const isRefusal = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === false;

function picked(found: Record<string, unknown>, keys: readonly string[] | true | undefined): Record<string, unknown> {
  if (keys === true) return found;
  return Object.fromEntries((keys ?? []).flatMap((key) => (key in found ? [[key, found[key]]] : [])));
}

function jsonOf(text: Buffer | string): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}

function withoutSecrets(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
