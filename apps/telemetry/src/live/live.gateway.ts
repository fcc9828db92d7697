import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { Authenticator } from '#access';
import type { Reading } from '#contracts';
import type { Unsubscribe } from '#messaging';
import { LOGGER, type Log } from '#platform';
import { DeviceAccess, isRefusal } from '../authorise/device-access.ts';
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
import { SubscribeRequest, UnsubscribeRequest, type LiveReadings } from './subscription.ts';
import { Viewers } from './viewers.ts';

/** Bytes that one reading takes in an event, about. */
const READING_BYTES = 120;

/** What a viewer is told of each device it asked for. */
type DeviceAnswer =
  | { device: string; latest: Record<string, Omit<Reading, 'sensor'>> }
  | { device: string; code: string; message: string };

/** Live readings for viewers, namespace `/live`: `subscribe` with devices, then events `readings`. */
@WebSocketGateway({ namespace: '/live', ...SOCKET_SERVER })
export class LiveGateway implements OnGatewayInit, OnGatewayConnection {
  constructor(
    @Inject(Viewers) private readonly viewers: Viewers,
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  afterInit(namespace: Namespace): void {
    guardNamespace(namespace, this.authenticator, this.log);
  }

  handleConnection(socket: OurSocket): void {
    const viewer = new Viewer(
      socket,
      new SocketConnection(socket, this.connections, this.log),
      this.viewers,
      this.access,
    );
    this.answering(socket, 'subscribe', (message) => viewer.subscribe(message));
    this.answering(socket, 'unsubscribe', async (message) => viewer.unsubscribe(message));
    socket.once('disconnect', () => {
      viewer.end();
    });
  }

  private answering(socket: OurSocket, event: string, handle: (message: unknown) => Promise<object>): void {
    socket.on(event, (message: unknown, ack: unknown) => {
      const answer = ackOf(ack);
      handle(message).then(
        (reply) => {
          answer?.({ ok: true, ...reply });
        },
        (thrown: unknown) => {
          logUnexpected(thrown, this.log);
          answer?.(refusalOf(thrown));
        },
      );
    });
  }
}

/** One viewer's connection and what it watches. */
class Viewer {
  private readonly watching = new Map<string, Unsubscribe>();
  private ended = false;

  constructor(
    private readonly socket: OurSocket,
    private readonly link: SocketConnection,
    private readonly viewers: Viewers,
    private readonly access: DeviceAccess,
  ) {}

  /** Answers with the newest readings of each device, or why it may not be watched; a second subscription replaces the first. */
  async subscribe(message: unknown): Promise<{ devices: DeviceAnswer[] }> {
    const { devices, sensors, since } = SubscribeRequest.parse(message);
    const answers: DeviceAnswer[] = [];
    for (const device of new Set(devices)) answers.push(await this.watch(device, sensors, since));
    return { devices: answers };
  }

  unsubscribe(message: unknown): object {
    const { devices = [...this.watching.keys()] } = UnsubscribeRequest.parse(message ?? {});
    for (const device of devices) this.forget(device);
    return {};
  }

  end(): void {
    this.ended = true;
    for (const device of [...this.watching.keys()]) this.forget(device);
  }

  private async watch(device: string, sensors: string[] | undefined, since: number | undefined): Promise<DeviceAnswer> {
    try {
      await this.access.authorise(this.link.connection.principal, device, 'read');
    } catch (error) {
      if (isRefusal(error)) return { device, code: error.code, message: error.message };
      throw error;
    }
    const latest = await this.viewers.latest(device, sensors);
    const stop = await this.viewers.watch(device, sensors, since, (event) => this.deliver(event));
    this.forget(device);
    if (this.ended) stop();
    else this.watching.set(device, stop);
    return { device, latest: Object.fromEntries(latest.map(({ sensor, ...reading }) => [sensor, reading])) };
  }

  private forget(device: string): void {
    this.watching.get(device)?.();
    this.watching.delete(device);
  }

  /** A replay goes as fast as the viewer reads; a viewer that cannot follow what is live is cut off and comes back with `since`. */
  private async deliver(event: LiveReadings): Promise<void> {
    if (event.replay) await this.link.whenRead();
    if (!this.ended && this.link.sending(event.readings.length * READING_BYTES)) this.socket.emit('readings', event);
  }
}
