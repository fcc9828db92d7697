import { readFile } from 'node:fs/promises';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { WebSocketServer } from 'ws';
import { ConfigError, LOGGER, type Log } from '#platform';
import { clientAddress } from '../client-address.ts';
import type { Origin } from './client.ts';
import { MQTT_LIMITS } from './mqtt-limits.ts';
import { MqttEndpoint } from './mqtt.endpoint.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import { SocketWire, WebSocketWire } from './wire.ts';

/** Connections that may wait to be taken: a fleet may come back all at once. */
const BACKLOG = 4_096;
/** Injection symbol of {@link MqttListenerOptions}. */
export const MQTT_LISTENERS = Symbol('MQTT_LISTENERS');

export interface MqttListenerOptions {
  host: string;
  /** Null: no plain TCP. 0: a free port. */
  port: number | null;
  /** May the endpoint be without its plain port where somebody else has it? */
  portIsOptional: boolean;
  tlsPort: number;
  /** Files in PEM form; without a certificate and a key there is no TLS. */
  tls: Record<'certificate' | 'key' | 'clientAuthority', string | undefined>;
  /** Is there a gateway in front of TCP and TLS that says where a client comes from? */
  proxyProtocol: boolean;
  /** How many proxies in front of HTTP set `X-Forwarded-For`. */
  trustedProxies: number;
}

/** How long the header of the PROXY protocol, or the handshake of TLS, may take, in ms. */
const GREETING_MS = 10_000;
/** How long a connection may be silent before the kernel asks whether the other side is there, in ms. */
const SILENT_MS = 60_000;
/** Where MQTT is on the HTTP server. */
const PATH = '/mqtt';
/** Names of MQTT's subprotocol (MQTT 5 section 6); `mqttv3.1` is what clients of 3.1 ask for. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'];

/** Where devices reach the MQTT endpoint: TCP, TLS, and WebSocket on the HTTP server. Opened once everything else is there. */
@Injectable()
export class MqttListeners implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly servers: Server[] = [];
  private readonly greeting = new Set<Socket>();
  private webSockets: WebSocketServer | undefined;
  /** The port of plain MQTT; undefined where there is none. */
  port: number | undefined;
  tlsPort: number | undefined;
  /** Why there is no plain MQTT although there should be. */
  problem: string | undefined;

  constructor(
    @Inject(MqttEndpoint) private readonly endpoint: MqttEndpoint,
    @Inject(MQTT_LISTENERS) private readonly options: MqttListenerOptions,
    @Inject(HttpAdapterHost) private readonly http: HttpAdapterHost,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.endpoint.start();
    this.listenForUpgrades(this.http.httpAdapter.getHttpServer() as HttpServer);
    await this.listenPlain();
    await this.listenTls();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const closed = this.servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.greeting) socket.destroy();
    this.webSockets?.close();
    await this.endpoint.stop();
    await Promise.all(closed);
  }

  private async listenPlain(): Promise<void> {
    const { port, portIsOptional } = this.options;
    if (port === null) return;
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      this.greet(socket, (address) => {
        this.endpoint.accept(new SocketWire(socket, 'TCP'), { address });
      });
    });
    try {
      this.port = await this.listen(server, port, 'MQTT_PORT');
      this.log.info(`MQTT listens on ${this.options.host}:${String(this.port)}`);
    } catch (error) {
      if (!(error instanceof ConfigError) || !portIsOptional) throw error;
      this.problem = `port ${String(port)} is taken`;
      this.log.warn(`MQTT is off: ${this.problem}. Set MQTT_PORT to another one.`);
    }
  }

  private async listenTls(): Promise<void> {
    const files = await readPems(this.options.tls);
    if (!files) return;
    /** What the gateway said of connections on which TLS is not agreed on yet, by where they come from as we see it. */
    const addresses = new Map<string, string>();
    const secure = secureServer(
      {
        ...files,
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: GREETING_MS,
        minVersion: 'TLSv1.2',
      },
      (socket) => {
        const address = addresses.get(peerOf(socket)) ?? addressOf(socket);
        this.endpoint.accept(new SocketWire(socket, 'TLS'), originOf(socket, address, files.ca !== undefined));
      },
    );
    secure.on('tlsClientError', (error) => {
      this.log.debug({ err: error }, 'MQTT: a TLS handshake failed');
    });
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      this.greet(socket, (address) => {
        const peer = peerOf(socket);
        addresses.set(peer, address);
        socket.once('close', () => addresses.delete(peer));
        secure.emit('connection', socket);
      });
    });
    this.tlsPort = await this.listen(server, this.options.tlsPort, 'MQTT_TLS_PORT');
    this.log.info(`MQTT over TLS listens on ${this.options.host}:${String(this.tlsPort)}`);
  }

  /** Gives the port that was opened. Throws a {@link ConfigError} where that cannot be. */
  private listen(server: Server, port: number, variable: string): Promise<number> {
    const { host } = this.options;
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(new ConfigError([`${variable}: ${listenProblem(error, host, port)}`]));
      });
      server.listen({ port, host, backlog: BACKLOG }, () => {
        this.servers.push(server);
        server.removeAllListeners('error');
        server.on('error', (error) => {
          this.log.error({ err: error }, 'MQTT: a listener failed');
        });
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** Finds out where a connection comes from, and then passes it on. */
  private greet(socket: Socket, pass: (address: string) => void): void {
    socket.on('error', (error) => {
      this.log.debug({ err: error }, 'MQTT: a connection failed');
    });
    if (!this.options.proxyProtocol) {
      pass(addressOf(socket));
      return;
    }
    this.greeting.add(socket);
    const timer = setTimeout(() => socket.destroy(), GREETING_MS);
    let kept = Buffer.alloc(0);
    const read = (): void => {
      for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read())
        kept = Buffer.concat([kept, chunk]);
      const header = readProxyHeader(kept);
      if (header === 'incomplete') return;
      done();
      if (header === 'invalid') {
        this.log.warn({ address: addressOf(socket) }, 'MQTT: a connection without the PROXY protocol was closed');
        socket.destroy();
        return;
      }
      if (kept.length > header.length) socket.unshift(kept.subarray(header.length));
      pass(header.address ?? addressOf(socket));
    };
    const done = (): void => {
      clearTimeout(timer);
      this.greeting.delete(socket);
      socket.off('readable', read).off('close', done);
    };
    socket.on('readable', read).once('close', done);
  }

  private listenForUpgrades(server: HttpServer): void {
    const webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: MQTT_LIMITS.packetBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => SUBPROTOCOLS.find((each) => offered.has(each)) ?? false,
    });
    this.webSockets = webSockets;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url?.split('?')[0] !== PATH) return;
      // [MQTT-6.0.0-3]
      if (!asksForMqtt(request)) {
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
        return;
      }
      const address = forwardedAddress(request, this.options.trustedProxies);
      webSockets.handleUpgrade(request, socket, head, (accepted) => {
        this.endpoint.accept(new WebSocketWire(accepted), { address });
      });
    });
  }
}

const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: SILENT_MS };

const addressOf = ({ remoteAddress }: Socket): string => remoteAddress ?? '';
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress ?? ''} ${String(remotePort)}`;

/** A certificate that was presented says who the client is; against an authority of ours it is checked only where there is one. */
function originOf(socket: TLSSocket, address: string, hasAuthority: boolean): Origin {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return { address };
  return {
    address,
    certificate: {
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      validFrom: Date.parse(certificate.validFrom),
      validTo: Date.parse(certificate.validTo),
      isTrusted: !hasAuthority || socket.authorized,
    },
  };
}

const asksForMqtt = ({ headers }: IncomingMessage): boolean =>
  (headers['sec-websocket-protocol'] ?? '').split(',').some((each) => SUBPROTOCOLS.includes(each.trim()));

/** The client's address behind the proxies in front of HTTP, of which there are so many. */
const forwardedAddress = ({ headers, socket }: IncomingMessage, trustedProxies: number): string =>
  clientAddress(socket.remoteAddress ?? '', headers['x-forwarded-for'], (_address, n) => n < trustedProxies);

/** What TLS is made of; undefined where there is none. Throws a {@link ConfigError} that names the variable. */
async function readPems({
  certificate,
  key,
  clientAuthority,
}: MqttListenerOptions['tls']): Promise<Pick<TlsOptions, 'cert' | 'key' | 'ca'> | undefined> {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined) throw new ConfigError(['MQTT_TLS_CERT: is needed beside MQTT_TLS_KEY']);
  if (key === undefined) throw new ConfigError(['MQTT_TLS_KEY: is needed beside MQTT_TLS_CERT']);
  return {
    cert: await pem('MQTT_TLS_CERT', certificate),
    key: await pem('MQTT_TLS_KEY', key),
    ...(clientAuthority === undefined ? {} : { ca: await pem('MQTT_TLS_CLIENT_CA', clientAuthority) }),
  };
}

function secureServer(options: TlsOptions, accept: (socket: TLSSocket) => void): TlsServer {
  try {
    return createTlsServer(options, accept);
  } catch (error) {
    throw new ConfigError([
      `MQTT_TLS_CERT, MQTT_TLS_KEY and MQTT_TLS_CLIENT_CA cannot be used together (${error instanceof Error ? error.message : String(error)})`,
    ]);
  }
}

async function pem(variable: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new ConfigError([
      `${variable}: ${path} cannot be read (${error instanceof Error ? error.message : String(error)})`,
    ]);
  }
}

function listenProblem({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  if (code === 'EADDRINUSE') return `port ${String(port)} is taken: choose another one, 0 for any that is free, or off`;
  if (code === 'EACCES') return `not allowed to listen on ${host}:${String(port)}: choose a port above 1023`;
  return message;
}
