import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { Authenticator } from '#access';
import { CodedError, type Receipt, type Refusal } from '#contracts';
import { LOGGER, type Log } from '#platform';
import { Connections } from '../link/connections.ts';
import {
  guardNamespace,
  logUnexpected,
  refusalOf,
  SOCKET_SERVER,
  SocketConnection,
} from '../link/socket-connection.ts';
import { Ingest } from './ingest.ts';
import { IngestLimits } from './ingest-limits.ts';

/** Bytes that the answer to one message takes, about; each refused reading adds to it. */
const ANSWER_BYTES = 128;
const REJECTION_BYTES = 160;

/**
 * Readings over socket.io, namespace `/telemetry`: event `readings` with one reading or an array, optionally `{batchId}`, and an
 * acknowledgement that is the receipt. The handlers sit on the socket itself: Nest's message pipeline would cost more than the work.
 */
@WebSocketGateway({ namespace: '/telemetry', ...SOCKET_SERVER })
export class TelemetryGateway implements OnGatewayInit, OnGatewayConnection {
  constructor(
    @Inject(Ingest) private readonly ingest: Ingest,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  afterInit(namespace: Namespace): void {
    guardNamespace(namespace, this.authenticator, this.log);
  }

  handleConnection(socket: Socket): void {
    const link = new SocketConnection(socket, this.connections, this.log);
    socket.on('readings', (...message: unknown[]) => {
      const ack = message.at(-1);
      const answer = answerer(socket, link, ack);
      this.receive(link, message[0], batchIdOf(message[1])).then(answer, (thrown: unknown) => {
        logUnexpected(thrown, this.log);
        this.limits.countRefusal(thrown);
        answer(refusalOf(thrown));
      });
    });
  }

  private async receive(link: SocketConnection, payload: unknown, batchId: unknown): Promise<Receipt> {
    const { principal } = link.connection;
    this.limits.take(principal);
    if (typeof payload === 'function' || payload === undefined) {
      throw new CodedError('BATCH_EMPTY', 'The event "readings" needs a reading or an array of readings.');
    }
    return this.ingest.accept(principal, payload, batchId);
  }
}

const batchIdOf = (second: unknown): unknown =>
  typeof second === 'object' && second !== null && 'batchId' in second ? second.batchId : undefined;

/** Answers through the acknowledgement, or with an event `receipt` where the client asked for none. */
function answerer(socket: Socket, link: SocketConnection, ack: unknown): (answer: Receipt | Refusal) => void {
  return (answer) => {
    const bytes = ANSWER_BYTES + (answer.ok ? answer.rejected.length * REJECTION_BYTES : 0);
    if (!link.sending(bytes)) return;
    if (typeof ack === 'function') ack(answer);
    else socket.emit('receipt', answer);
  };
}
