import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** What becomes of a request: the network carries it and its answer, or loses the one or the other. */
export type Fate = 'pass' | 'lose request' | 'lose reply';

/** Requests by which devices get in, as against those of socket.io. */
const WAYS_IN =
  /^\/(?:debug\/provisioning|provisioning\/\w+|auth\/devices\/request|api\/provision|user\/\w+|telemetry)(?:\?|$)/;

/**
 * A network in front of a platform that loses what the test says. A lost reply is one that the platform has given: the connection is
 * reset once it is there.
 */
export class LossyProxy {
  /** `POST /provisioning/register` of every way in that was tried. */
  readonly seen: string[] = [];
  /** By its place among the ways in that were tried, from 0. */
  fate: (index: number, line: string) => Fate = () => 'pass';
  /** Called when something is lost, before the device notices. */
  onLoss: () => void = () => undefined;
  private readonly server: Server = createServer((asked, reply) => void this.carry(asked, reply));
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly platform: URL) {
    this.server.on('connection', (socket: Socket) => this.keep(socket));
    this.server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) =>
      this.tunnel(asked, socket, head),
    );
  }

  static async start(platform: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(new URL(platform));
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address: AddressInfo | string | null = this.server.address();
    return typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async carry(asked: IncomingMessage, reply: ServerResponse): Promise<void> {
    const body = await bodyOf(asked);
    const fate = this.fateOf(asked);
    if (fate === 'lose request') return this.lose(asked.socket);
    const { method, url, headers } = asked;
    const onward = request(new URL(url ?? '/', this.platform), { method, headers }, (answer) => {
      void bodyOf(answer).then((text) => {
        if (fate === 'lose reply') return this.lose(asked.socket);
        reply.writeHead(answer.statusCode ?? 502, answer.headers).end(text);
      });
    });
    onward.on('error', () => asked.socket.destroy()).end(body);
  }

  private fateOf({ method, url = '' }: IncomingMessage): Fate {
    if (!WAYS_IN.test(url)) return 'pass';
    const line = `${method} ${url.replace(/\?.*/, '')}`;
    return this.fate(this.seen.push(line) - 1, line);
  }

  private lose(socket: Socket): void {
    this.onLoss();
    socket.resetAndDestroy();
  }

  /** WebSocket: the request as it came, then bytes in both directions. */
  private tunnel({ method, url, rawHeaders }: IncomingMessage, socket: Socket, head: Buffer): void {
    const onward = connect(Number(this.platform.port), this.platform.hostname, () => {
      const pairs = rawHeaders.map((text, index) => text + (index % 2 === 0 ? ': ' : '\r\n')).join('');
      onward.write(`${method} ${url} HTTP/1.1\r\n${pairs}\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    this.keep(onward);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
  }
}

function bodyOf(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => resolve(Buffer.concat(parts))).on('error', reject);
  });
}
