import type { Socket, Namespace } from 'socket.io';
import {
  givenCredentials,
  handshakeCredentials,
  type Authenticated,
  type Authenticator,
  type PresentedCredentials,
} from '#access';
import { LIMITS, type ErrorBody } from '#contracts';
import { toCoded, type Log } from '#platform';
import type { Connection, Connections } from './connections.ts';

/** Options of the one socket.io server of the service, for every namespace. */
export const SOCKET_SERVER = {
  /** Nginx learns from this cookie which replica a polling client is on. */
  cookie: { name: 'io', httpOnly: true, sameSite: 'lax' },
  maxHttpBufferSize: LIMITS.bodyBytes,
  perMessageDeflate: false,
  pingInterval: 20_000,
  pingTimeout: 20_000,
  connectTimeout: 10_000,
  serveClient: false,
} as const;

/** Bytes that may wait for a client that does not read, before it is cut off. */
const UNREAD_BYTES = 4_194_304;

/** What we keep on a socket of ours. */
interface SocketData {
  authenticated: Authenticated;
  presented: PresentedCredentials;
  connection: Connection;
}

export type OurSocket = Socket<
  Record<string, (...args: never[]) => void>,
  Record<string, (...args: unknown[]) => void>,
  object,
  Partial<SocketData>
>;

/** The acknowledgement of a client's event, if it asked for one. */
export const ackOf = (last: unknown): ((answer: unknown) => void) | undefined =>
  typeof last === 'function' ? (last as (answer: unknown) => void) : undefined;

/** Lets only callers with valid credentials into a namespace; the others get `connect_error` with the coded error as `data`. */
export function guardNamespace(namespace: Namespace, authenticator: Authenticator, log: Log): void {
  namespace.use((socket: OurSocket, next) => {
    const presented = handshakeCredentials(socket.handshake.auth, socket.handshake.headers.authorization);
    authenticator.authenticate(presented).then(
      (authenticated) => {
        socket.data.authenticated = authenticated;
        if (presented) socket.data.presented = presented;
        next();
      },
      (thrown: unknown) => {
        const error = toCoded(thrown);
        log.info({ code: error.code, address: socket.handshake.address }, `${namespace.name} handshake refused`);
        next(Object.assign(new Error(error.message), { data: error.toBody() }));
      },
    );
  });
}

/** A socket that got through {@link guardNamespace}: renewal, expiry, revocation and the client that does not read. */
export class SocketConnection {
  readonly connection: Connection;
  /** Why we ended it, if we did. */
  endedFor: ErrorBody | undefined;
  private unread = 0;

  constructor(
    private readonly socket: OurSocket,
    connections: Connections,
    log: Log,
  ) {
    const { authenticated, presented } = socket.data;
    if (!authenticated || !presented) throw new Error('the namespace is not guarded');
    this.connection = connections.add(authenticated, presented, {
      warn: (expiresAt) => {
        socket.emit('auth:expiring', { expiresAt });
      },
      close: (reason) => {
        this.close(reason);
      },
    });
    socket.conn.on('drain', () => {
      this.unread = 0;
    });
    socket.on('auth:refresh', (message: unknown, ack: unknown) => {
      void this.refresh(connections, message, ack);
    });
    socket.on('error', (error: Error) => {
      log.info({ err: error }, 'a socket failed');
    });
    socket.once('disconnect', (reason) => {
      connections.remove(this.connection);
      log.info({ caller: this.caller, reason }, `${socket.nsp.name} disconnected`);
    });
    log.info({ caller: this.caller, transport: socket.conn.transport.name }, `${socket.nsp.name} connected`);
  }

  get caller(): string {
    const { principal } = this.connection;
    return principal.kind === 'device' ? `device ${principal.device.id}` : `user ${principal.userId}`;
  }

  /** Says why and closes. */
  close(reason: ErrorBody): void {
    this.endedFor ??= reason;
    this.socket.emit('auth:ended', reason);
    this.socket.disconnect(true);
  }

  /** About `bytes` are on their way to the client; too many unread ones end the connection. False if it was ended. */
  sending(bytes: number): boolean {
    this.unread += bytes;
    if (this.unread <= UNREAD_BYTES) return true;
    this.socket.disconnect(true);
    return false;
  }

  /** Resolves once everything sent so far is on its way to the client, or the client is gone. */
  whenRead(): Promise<void> {
    if (this.unread === 0 || !this.socket.connected) return Promise.resolve();
    return new Promise((resolve) => {
      this.socket.conn.once('drain', resolve);
      this.socket.conn.once('close', () => {
        resolve();
      });
    });
  }

  private async refresh(connections: Connections, message: unknown, ack: unknown): Promise<void> {
    const answer = ackOf(ack);
    try {
      const { expiresAt } = await connections.renew(this.connection, givenCredentials(message));
      answer?.({ ok: true, expiresAt });
    } catch (thrown) {
      answer?.({ ok: false, ...toCoded(thrown).toBody() });
    }
  }
}

/** A refusal as sockets get it. */
export const refusalOf = (thrown: unknown): { ok: false } & Pick<ErrorBody, 'code' | 'message' | 'retryAfterMs'> => {
  const { code, message, retryAfterMs } = toCoded(thrown);
  return { ok: false, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
};

/** Logs what nobody expected; what a caller did wrong is theirs to know. */
export function logUnexpected(thrown: unknown, log: Log): void {
  if (toCoded(thrown).code === 'INTERNAL') log.error({ err: thrown }, 'an error that nobody expected');
}
