import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { Authenticator } from '#access';
import { CodedError, type Receipt, type Refusal } from '#contracts';
import { LOGGER, toCoded, type Log } from '#platform';
import { Connections } from '../link/connections.ts';
import {
  ackOf,
  guardNamespace,
  logUnexpected,
  refusalOf,
  SOCKET_SERVER,
  SocketConnection,
  type OurSocket,
} from '../link/socket-connection.ts';
import { checkListens, DeviceSockets } from '../link/device-sockets.ts';
import { Ingest } from './ingest.ts';
import { IngestLimits } from './ingest-limits.ts';

/** Bytes that the answer to one message takes, about; each refused reading adds to it. */
const ANSWER_BYTES = 128;
const REJECTION_BYTES = 160;

/**
 * Readings over socket.io, namespace `/telemetry`: event `readings` with one reading or an array, optionally `{batchId}`, and an
 * acknowledgement that is the receipt. Sockets of devices are links as well, see link/device-sockets.ts. The handlers sit on the socket itself: Nest's message pipeline would cost more than the work.
 */
@WebSocketGateway({ namespace: '/telemetry', ...SOCKET_SERVER })
export class TelemetryGateway implements OnGatewayInit, OnGatewayConnection {
  constructor(
    @Inject(Ingest) private readonly ingest: Ingest,
    @Inject(DeviceSockets) private readonly devices: DeviceSockets,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  afterInit(namespace: Namespace): void {
    guardNamespace(namespace, this.authenticator, this.log);
    namespace.use((socket: OurSocket, next) => {
      next(refusedListens(socket));
    });
  }

  handleConnection(socket: OurSocket): void {
    const link = new SocketConnection(socket, this.connections, this.log);
    socket.on('readings', (...message: unknown[]) => {
      void this.receive(socket, link, message);
    });
    const { principal } = link.connection;
    if (principal.kind === 'device') this.devices.open(socket, link, principal);
  }

  private async receive(socket: OurSocket, link: SocketConnection, message: unknown[]): Promise<void> {
    const { principal } = link.connection;
    const [payload, options] = message;
    const ack = ackOf(message.at(-1));
    try {
      this.limits.take(principal);
      if (typeof payload === 'function' || payload === undefined) {
        throw new CodedError('BATCH_EMPTY', 'The event "readings" needs a reading or an array of readings.');
      }
      answer(socket, link, ack, await this.ingest.accept(principal, payload, batchIdOf(options)));
    } catch (thrown) {
      logUnexpected(thrown, this.log);
      this.limits.countRefusal(thrown);
      answer(socket, link, ack, refusalOf(thrown));
    }
  }
}

function refusedListens(socket: OurSocket): Error | undefined {
  try {
    checkListens(socket);
    return undefined;
  } catch (thrown) {
    const error = toCoded(thrown);
    return Object.assign(new Error(error.message), { data: error.toBody() });
  }
}

const batchIdOf = (second: unknown): unknown =>
  typeof second === 'object' && second !== null && 'batchId' in second ? second.batchId : undefined;

/** Answers through the acknowledgement, or with an event `receipt` where the client asked for none. */
function answer(
  socket: OurSocket,
  link: SocketConnection,
  ack: ReturnType<typeof ackOf>,
  receipt: Receipt | Refusal,
): void {
  const bytes = ANSWER_BYTES + (receipt.ok ? receipt.rejected.length * REJECTION_BYTES : 0);
  if (!link.sending(bytes)) return;
  if (ack) ack(receipt);
  else socket.emit('receipt', receipt);
}
