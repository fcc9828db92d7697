import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { House } from './house.ts';

type Options = Partial<ManagerOptions & SocketOptions>;

/** Why a handshake was refused, or a connection ended. */
export interface Refused {
  code: string;
  message: string;
}

const open = new Set<Socket>();

/** How long anything may take, in ms. */
const PATIENCE_MS = 10_000;

/** An ordinary client that has begun to connect; without options it starts with polling, as socket.io does. */
export function connecting(base: string, namespace: string, token: string | undefined, options: Options = {}): Socket {
  const socket = io(`${base}${namespace}`, {
    forceNew: true,
    reconnection: false,
    ...(token === undefined ? {} : { auth: { token } }),
    ...options,
  });
  open.add(socket);
  return socket;
}

/** A client that is connected. Throws {@link Refusal}. */
export async function connect(house: House, namespace: string, token: string, options?: Options): Promise<Socket> {
  return connectTo(house.url, namespace, token, options);
}

/** As {@link connect}, to one replica past the gateway. */
export async function connectTo(base: string, namespace: string, token: string, options?: Options): Promise<Socket> {
  const socket = connecting(base, namespace, token, options);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', (error) => reject(new Error(`not connected: ${error.message}`, { cause: error })));
  });
  return socket;
}

/** The coded error with which a handshake is refused. */
export function refusalOf(
  house: House,
  namespace: string,
  token: string | undefined,
  options?: Options,
): Promise<unknown> {
  const socket = connecting(house.url, namespace, token, options);
  return new Promise((resolve, reject) => {
    socket.once('connect', () => reject(new Error('the handshake was not refused')));
    socket.once('connect_error', (error) => {
      resolve(('data' in error ? error.data : undefined) ?? error);
      socket.disconnect();
    });
  });
}

/** Sends an event and gives its acknowledgement. */
export const ask = (socket: Socket, event: string, ...message: unknown[]): Promise<unknown> =>
  socket.timeout(PATIENCE_MS).emitWithAck(event, ...message);

/** The payload of the next event of this name. */
export const nextEvent = (socket: Socket, event: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no event ${event} within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    socket.once(event, (payload: unknown) => {
      clearTimeout(timer);
      resolve(payload);
    });
  });

/** Ends every client that a test left connected. */
export function disconnectAll(): void {
  for (const socket of open) socket.disconnect();
  open.clear();
}
