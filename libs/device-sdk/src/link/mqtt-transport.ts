import { randomBytes } from 'node:crypto';
import type { ReadingInput } from '#contracts';
import { z } from 'zod';
import { Receipt } from '../answers.ts';
import type { Clock } from '../clock.ts';
import type { DeviceCredentials } from './credentials.ts';
import { MqttLink, type MqttLinkOptions, type Outgoing } from './mqtt-link.ts';
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

export interface MqttTransportOptions extends MqttLinkOptions {
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

const CommandPayload = z.object({ method: z.string(), params: z.unknown().default(null) });
const Attributes = z.record(z.string(), z.unknown());
const AttributesResponse = z.object({ client: Attributes.default({}), shared: Attributes.default({}) });
const Keys = z.array(z.string());

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

/** The receipt of a batch as its PUBACK gives it: in the user property `receipt` unless everything was accepted. */
function receiptOf(code: number, said: SaidProperties, batchId: string, readings: number): unknown {
  const told = said.userProperties?.['receipt'];
  const receipt = typeof told === 'string' ? Receipt.safeParse(jsonOf(told)).data : undefined;
  if (receipt && (code === 0 || code === 0x99)) return receipt;
  if (code === 0 && told === undefined) return { ok: true, batchId, accepted: readings, rejected: [] };
  return { ok: false, ...troubleOf(code, said) };
}

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
