import type { ReadingInput } from '#contracts';
import { Manager, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { readTrouble } from '../answers.ts';
import type { DeviceCredentials } from './credentials.ts';
import { loadOverHttp } from './http-firmware.ts';
import type {
  Answered,
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

interface FromPlatform {
  'auth:expiring': (info: unknown) => void;
  command: (command: unknown, ack?: Answered) => void;
  attributes: (change: unknown, ack?: Answered) => void;
}

interface ToPlatform {
  listen: (wanted: { topics: readonly Topic[] }, ack: Answered) => void;
  readings: (readings: readonly ReadingInput[], batch: { batchId: string }, ack: Answered) => void;
  'auth:refresh': (refresh: { token: string }, ack: Answered) => void;
  'command:delivered': (command: { id: string }) => void;
  'command:answer': (answer: { id: string } & CommandOutcome, ack: Answered) => void;
  'attributes:report': (attributes: Readonly<Record<string, unknown>>, ack: Answered) => void;
  'attributes:get': (wanted: WantedAttributes, ack: Answered) => void;
  'firmware:state': (report: Omit<FirmwareReport, 'current'>, ack: Answered) => void;
}

const CommandMessage = z.object({
  id: z.string(),
  number: z.number().int(),
  method: z.string(),
  params: z.unknown().default(null),
  expiresAt: z.number().optional(),
});

const AttributesMessage = z.object({
  version: z.number().optional(),
  changed: z.record(z.string(), z.unknown()),
  deleted: z.array(z.string()),
});

export interface SocketTransportOptions {
  url: string;
  transports: ('websocket' | 'polling')[];
  connectTimeoutMs: number;
}

/** What the platform tells devices of, of what they can listen to. */
const HEARD_OF: readonly Topic[] = ['commands', 'attributes'];

/** One socket message takes 1 MiB; a batch is held within that before it comes here. */
const BOUNDS: LinkBounds = { batchBytes: Infinity, inFlight: Infinity, deadAfter: 3 };

/** Links by socket.io, namespace `/telemetry`; firmware by HTTP beside them. */
export class SocketTransport implements Transport {
  readonly bounds = BOUNDS;
  private readonly socket: Socket<FromPlatform, ToPlatform>;
  private credentials: DeviceCredentials | undefined;
  private topics: ReadonlySet<Topic> = new Set();
  /** What the platform was last told that is listened to. */
  private told: readonly Topic[] = [];

  constructor(
    private readonly options: SocketTransportOptions,
    private readonly listener: TransportListener,
  ) {
    this.socket = this.createSocket();
    this.socket.on('connect', () => this.onConnect());
    this.socket.on('disconnect', (reason) => this.listener.closed({ reason }));
    this.socket.on('connect_error', (error) => this.onRefused(error));
    this.socket.on('auth:expiring', () => this.listener.expiring());
    this.socket.on('command', (message, ack) => this.onCommand(message, ack));
    this.socket.on('attributes', (message, ack) => this.onAttributes(message, ack));
  }

  open(credentials: DeviceCredentials): void {
    this.credentials = credentials;
    this.socket.connect();
  }

  close(): void {
    this.socket.disconnect();
  }

  listen(topics: ReadonlySet<Topic>): void {
    this.topics = topics;
    if (this.socket.connected) this.tellTopics();
  }

  renew(token: string, answered: Answered): boolean {
    this.credentials = { token };
    this.socket.emit('auth:refresh', { token }, answered);
    return true;
  }

  sendReadings(readings: readonly ReadingInput[], batchId: string, answered: Answered): void {
    this.socket.emit('readings', readings, { batchId }, answered);
  }

  confirmCommand({ id }: Command): void {
    this.socket.emit('command:delivered', { id });
  }

  answerCommand({ id }: Command, outcome: CommandOutcome, answered: Answered): void {
    this.socket.emit('command:answer', { id, ...outcome }, answered);
  }

  reportAttributes(attributes: Readonly<Record<string, unknown>>, answered: Answered): void {
    this.socket.emit('attributes:report', attributes, answered);
  }

  getAttributes(wanted: WantedAttributes, answered: Answered): void {
    this.socket.emit('attributes:get', wanted, answered);
  }

  reportFirmware({ kind, title, version, state, bytes, error }: FirmwareReport, answered: Answered): void {
    this.socket.emit('firmware:state', { kind, title, version, state, bytes, error }, answered);
  }

  loadFirmware(kind: FirmwareKind, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return loadOverHttp({ url: this.options.url, credentials: this.credentials, kind, offset, signal });
  }

  private get listens(): Topic[] {
    return HEARD_OF.filter((topic) => this.topics.has(topic));
  }

  private createSocket(): Socket<FromPlatform, ToPlatform> {
    const { url, transports, connectTimeoutMs } = this.options;
    const { origin, pathname } = new URL(url);
    const manager = new Manager<FromPlatform, ToPlatform>(origin, {
      path: `${pathname.replace(/\/$/, '')}/socket.io`,
      transports,
      tryAllTransports: true,
      timeout: connectTimeoutMs,
      reconnection: false,
      autoConnect: false,
    });
    return manager.socket('/telemetry', { auth: (give) => give(this.handshake()) });
  }

  private handshake(): object {
    this.told = this.listens;
    return this.told.length === 0 ? { ...this.credentials } : { ...this.credentials, listens: this.told };
  }

  private onConnect(): void {
    this.tellTopics();
    this.listener.opened();
  }

  /** More may be listened to than the handshake said. */
  private tellTopics(): void {
    const { listens } = this;
    if (listens.length === this.told.length) return;
    this.told = listens;
    this.socket.emit('listen', { topics: listens }, () => undefined);
  }

  private onRefused(error: Error): void {
    const trouble = readTrouble(error);
    const reason = `No connection to ${this.options.url}: ${error.message}.`;
    this.listener.closed(trouble ? { reason, trouble } : { reason });
  }

  /** What is not a command is not acknowledged, so that the platform sees that the device did not understand it. */
  private onCommand(message: unknown, ack: Answered | undefined): void {
    const command = CommandMessage.safeParse(message).data;
    if (!command) return;
    const { id: link } = this.socket;
    this.listener.command(command, (outcome) => {
      if (this.socket.id !== link || !ack) return false;
      ack(outcome);
      return true;
    });
  }

  private onAttributes(message: unknown, ack: Answered | undefined): void {
    const change = AttributesMessage.safeParse(message).data;
    if (!change) return;
    this.listener.attributes(change);
    ack?.({ ok: true });
  }
}
