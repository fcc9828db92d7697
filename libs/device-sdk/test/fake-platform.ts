import { type Server as HttpServer, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReadingInput } from '#contracts';
import { Server, type Socket } from 'socket.io';

/** A batch as it came in. */
export interface Arrival {
  batchId: string;
  readings: ReadingInput[];
  socket: Socket;
}

/** What the platform does with a batch: gives this acknowledgement, or none. */
export type Behaviour = (arrival: Arrival) => object | undefined;

/** The receipt of a batch, with these indices rejected. */
export const receipt = ({ batchId, readings }: Arrival, rejected: number[] = []): object => ({
  ok: true,
  batchId,
  accepted: readings.length - rejected.length,
  rejected: rejected.map((index) => ({
    index,
    code: 'BAD_VALUE',
    message: `The value of reading ${index} is not valid.`,
  })),
});

/** A Fieldline platform as a device sees it, on a free port, that behaves as badly as the test says. */
export class FakePlatform {
  readonly arrivals: Arrival[] = [];
  readonly tokens: unknown[] = [];
  /** What each handshake showed. */
  readonly handshakes: unknown[] = [];
  /** Readings that the platform has, by identity. */
  readonly stored = new Map<string, ReadingInput>();
  /** Batch ids that came again with other content. */
  readonly changed: string[] = [];
  private readonly contents = new Map<string, string>();
  behave: Behaviour = (arrival) => receipt(arrival);
  /** `data` of the `connect_error` for this token, or undefined to let it in. */
  admit: (token: unknown) => object | undefined = () => undefined;
  refresh: (request: unknown) => object = () => ({ ok: true, expiresAt: null });
  private readonly http: HttpServer = createServer();
  private readonly io = new Server(this.http, { transports: ['websocket', 'polling'] });

  /** Without a port, the system picks a free one. */
  constructor(public port = 0) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get connections(): Socket[] {
    return [...this.io.of('/telemetry').sockets.values()];
  }

  async start(): Promise<this> {
    const namespace = this.io.of('/telemetry');
    namespace.use((socket, next) => {
      this.handshakes.push(socket.handshake.auth);
      this.tokens.push(socket.handshake.auth['token']);
      const data = this.admit(socket.handshake.auth['token']);
      next(data ? Object.assign(new Error('refused'), { data }) : undefined);
    });
    namespace.on('connection', (socket) => {
      socket.on(
        'readings',
        (readings: ReadingInput[], { batchId }: { batchId: string }, ack: (answer: object) => void) =>
          this.onBatch({ batchId, readings, socket }, ack),
      );
      socket.on('auth:refresh', (request: unknown, ack: (answer: object) => void) => ack(this.refresh(request)));
    });
    await new Promise<void>((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
    const address = this.http.address();
    if (isAddress(address)) this.port = address.port;
    return this;
  }

  /** Ends every connection without a word, as a network does. */
  cut(): void {
    for (const socket of this.connections) socket.conn.close();
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  private onBatch(arrival: Arrival, ack: (answer: object) => void): void {
    this.arrivals.push(arrival);
    const content = JSON.stringify(arrival.readings);
    if ((this.contents.get(arrival.batchId) ?? content) !== content) this.changed.push(arrival.batchId);
    this.contents.set(arrival.batchId, content);
    const answer = this.behave(arrival);
    if (answer) ack(answer);
  }

  /** Stores what the receipt of a batch says is stored. */
  keep({ readings }: Arrival, rejected: number[] = []): void {
    readings.forEach((reading, index) => {
      if (!rejected.includes(index)) this.stored.set(`${reading.sensor} ${reading.ts}`, reading);
    });
  }
}

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;
