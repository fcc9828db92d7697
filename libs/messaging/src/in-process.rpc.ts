import {
  ClientProxy,
  NatsContext,
  Server,
  type CustomTransportStrategy,
  type ReadPacket,
  type WritePacket,
} from '@nestjs/microservices';

/** What a value looks like after it crossed a wire: handlers see the same on every transport. */
const overTheWire = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);

/** Where the client and the server of one process meet. */
export class InProcessHub {
  server: InProcessRpcServer | undefined;
}

/** Nest's server side of requests within one process. */
export class InProcessRpcServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol.for('IN_PROCESS');

  constructor(private readonly hub: InProcessHub) {
    super();
  }

  listen(listening: () => void): void {
    this.hub.server = this;
    listening();
  }

  close(): void {
    this.hub.server = undefined;
  }

  /** Required by Nest; this transport has no events of its own. */
  on(): void {}

  unwrap<T>(): T {
    return this.hub as T;
  }

  /** False if nobody handles the subject. */
  request(subject: string, data: unknown, reply: (packet: WritePacket) => void): boolean {
    const handler = this.messageHandlers.get(subject);
    if (!handler || handler.isEventHandler) return false;
    const context = new NatsContext([subject, undefined]);
    const run = async (): Promise<void> => {
      const answer = this.transformToObservable(await handler(data, context));
      this.handleRequest(
        context,
        () => Promise.resolve(answer),
        (packet) => {
          reply(overTheWire(packet) as WritePacket);
        },
      );
    };
    run().catch((error: unknown) => {
      reply({ err: overTheWire(error), isDisposed: true });
    });
    return true;
  }
}

/** Nest's client side of requests within one process. */
export class InProcessRpcClient extends ClientProxy {
  constructor(private readonly hub: InProcessHub) {
    super();
  }

  async connect(): Promise<void> {}

  close(): void {}

  unwrap<T>(): T {
    return this.hub as T;
  }

  protected override publish(packet: ReadPacket, reply: (packet: WritePacket) => void): () => void {
    let wanted = true;
    const subject = String(packet.pattern);
    const data = overTheWire(packet.data);
    const answer = (answered: WritePacket): void => {
      if (wanted) reply(answered);
    };
    setImmediate(() => {
      const handled = this.hub.server?.request(subject, data, answer) ?? false;
      if (!handled) answer({ err: new Error(`nobody answers on ${subject}`), isDisposed: true });
    });
    return () => {
      wanted = false;
    };
  }

  protected override dispatchEvent(): Promise<never> {
    return Promise.reject(new Error('events go over the bus'));
  }
}
