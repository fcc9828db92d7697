import { type IncomingMessage, type Server as HttpServer, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReadingInput } from '#contracts';
import { Server, type Socket } from 'socket.io';
import type { DeviceCredentials } from '../src/link/credentials.ts';
import type { AttributesChange, CommandOutcome } from '../src/link/transport.ts';
import { Platform, type SentCommand } from './platform.ts';

type Ack = (answer: object) => void;

/** A platform by socket.io, and firmware by HTTP, on a free port. */
export class FakePlatform extends Platform {
  refresh: (request: unknown) => object = () => ({ ok: true, expiresAt: null });
  /** What each handshake, and each `listen`, said that is listened to. */
  readonly listens: unknown[] = [];
  /** The header `Authorization` of each download. */
  readonly authorizations: unknown[] = [];
  private readonly http: HttpServer = createServer((request, response) => this.onRequest(request, response));
  private readonly io = new Server(this.http, { transports: ['websocket', 'polling'] });

  /** Without a port, the system picks a free one. */
  constructor(public port = 0) {
    super();
  }

  get options() {
    return { url: `http://127.0.0.1:${this.port}` };
  }

  get connections(): Socket[] {
    return [...this.io.of('/telemetry').sockets.values()];
  }

  get links(): number {
    return this.connections.length;
  }

  seen(code: string): string {
    return code;
  }

  get takesCommands(): boolean {
    return this.connections.some((socket) => listensTo(socket, 'commands'));
  }

  get listensToAttributes(): boolean {
    return this.connections.some((socket) => listensTo(socket, 'attributes'));
  }

  async start(): Promise<this> {
    const namespace = this.io.of('/telemetry');
    namespace.use((socket, next) => {
      const { listens, ...shown } = socket.handshake.auth;
      this.listens.push(listens);
      this.handshakes.push(shown as DeviceCredentials);
      const data = this.admit(shown as DeviceCredentials);
      next(data ? Object.assign(new Error('refused'), { data }) : undefined);
    });
    namespace.on('connection', (socket) => this.onConnection(socket));
    await new Promise<void>((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
    const address = this.http.address();
    if (isAddress(address)) this.port = address.port;
    return this;
  }

  cut(): void {
    for (const socket of this.connections) socket.conn.close();
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  sendCommand(command: SentCommand): void {
    for (const socket of this.connections) {
      socket.emit('command', { ...command, expiresAt: 2_000_000_000_000 }, (outcome: CommandOutcome) =>
        this.answers.push({ number: command.number, outcome }),
      );
    }
  }

  tellShared(change: AttributesChange): void {
    for (const socket of this.connections.filter((one) => listensTo(one, 'attributes')))
      socket.emit('attributes', change);
  }

  private onConnection(socket: Socket): void {
    socket.data.listens = socket.handshake.auth['listens'];
    socket.on('listen', ({ topics }: { topics: string[] }, ack: Ack) => {
      this.listens.push(topics);
      socket.data.listens = topics;
      ack({ ok: true, topics });
    });
    socket.on('readings', (readings: ReadingInput[], { batchId }: { batchId: string }, ack: Ack) => {
      const answer = this.onBatch({
        batchId,
        readings,
        credentials: socket.handshake.auth,
        cut: () => socket.conn.close(),
        dismiss: () => socket.disconnect(true),
      });
      if (answer) ack(answer);
    });
    socket.on('auth:refresh', (request: unknown, ack: Ack) => ack(this.refresh(request)));
    socket.on('command:delivered', ({ id }: { id: string }) => this.delivered.push(Number(id)));
    socket.on('command:answer', ({ id, ...outcome }: { id: string } & CommandOutcome, ack: Ack) => {
      this.answers.push({ number: Number(id), outcome });
      ack({ ok: true });
    });
    socket.on('attributes:report', (attributes: Record<string, unknown>, ack: Ack) => {
      const answer = this.onReport(attributes);
      if (answer) ack(answer);
    });
    socket.on('attributes:get', (wanted: { client?: string[] | true; shared?: string[] | true }, ack: Ack) =>
      ack({ ok: true, client: pick(this.client, wanted.client), shared: pick(this.shared, wanted.shared) }),
    );
    socket.on('firmware:state', ({ state, version, error }: Record<string, unknown>, ack: Ack) => {
      this.states.push({ state, version, error });
      ack({ ok: true });
    });
  }

  /** `GET /firmware`, from the byte that is asked for on, in parts; where a part is not given the connection breaks. */
  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (!request.url?.startsWith('/firmware')) return;
    this.authorizations.push(request.headers.authorization);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    this.loads.push(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': this.firmware.length - from });
    void this.writeParts(response, from);
  }

  private async writeParts(response: ServerResponse, from: number): Promise<void> {
    for (let offset = from; offset < this.firmware.length; offset += PART_BYTES) {
      if (!this.give(offset)) {
        response.destroy();
        return;
      }
      await new Promise((resolve) => response.write(this.firmware.subarray(offset, offset + PART_BYTES), resolve));
    }
    response.end();
  }
}

const PART_BYTES = 32_768;

const listensTo = (socket: Socket, topic: string): boolean => {
  const { listens } = socket.data;
  return Array.isArray(listens) && listens.includes(topic);
};

const pick = (all: Record<string, unknown>, keys: string[] | true | undefined): Record<string, unknown> =>
  keys === true ? all : Object.fromEntries((keys ?? []).filter((key) => key in all).map((key) => [key, all[key]]));

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;
