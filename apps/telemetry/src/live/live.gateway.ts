import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { Authenticator } from '#access';
import { CodedError, type JobView, type Reading } from '#contracts';
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
import { JobFollowers } from './job-followers.ts';
import { MAX_JOBS, SubscribeRequest, UnsubscribeRequest, type LiveReadings } from './subscription.ts';
import { Viewers } from './viewers.ts';

/** Bytes that one reading takes in an event, about. */
const READING_BYTES = 120;
/** Bytes that the state of an import takes in an event, about. */
const JOB_BYTES = 250;

/** What a viewer is told of each device it asked for. */
type DeviceAnswer =
  | { device: string; latest: Record<string, Omit<Reading, 'sensor'>> }
  | { device: string; code: string; message: string };

/** What a viewer is told of each import it asked for. */
type JobAnswer = { job: JobView } | { id: string; code: string; message: string };

/** What is live, for viewers, namespace `/live`: `subscribe` with devices, then events `readings`; with jobs, then events `job`. */
@WebSocketGateway({ namespace: '/live', ...SOCKET_SERVER })
export class LiveGateway implements OnGatewayInit, OnGatewayConnection {
  private readonly connected = new Set<Viewer>();

  constructor(
    @Inject(Viewers) private readonly viewers: Viewers,
    @Inject(JobFollowers) private readonly followers: JobFollowers,
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  afterInit(namespace: Namespace): void {
    guardNamespace(namespace, this.authenticator, this.log);
    this.access.onChanged((deviceId) => {
      for (const viewer of this.connected) viewer.check(deviceId);
    });
  }

  handleConnection(socket: OurSocket): void {
    const viewer = new Viewer(
      socket,
      new SocketConnection(socket, this.connections, this.log),
      this.viewers,
      this.followers,
      this.access,
    );
    this.answering(socket, 'subscribe', (message) => viewer.subscribe(message));
    this.answering(socket, 'unsubscribe', async (message) => viewer.unsubscribe(message));
    this.connected.add(viewer);
    socket.once('disconnect', () => {
      this.connected.delete(viewer);
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
  private readonly following = new Map<string, Unsubscribe>();
  private ended = false;

  constructor(
    private readonly socket: OurSocket,
    private readonly link: SocketConnection,
    private readonly viewers: Viewers,
    private readonly followers: JobFollowers,
    private readonly access: DeviceAccess,
  ) {}

  /**
   * Answers with the newest readings of each device and the state of each import, or why it may not be watched; a second
   * subscription replaces the first.
   */
  async subscribe(message: unknown): Promise<{ devices: DeviceAnswer[]; jobs?: JobAnswer[] }> {
    const { devices = [], sensors, since, jobs } = SubscribeRequest.parse(message);
    this.checkJobs(jobs ?? []);
    const answers: DeviceAnswer[] = [];
    for (const device of new Set(devices)) answers.push(await this.watch(device, sensors, since));
    if (!jobs) return { devices: answers };
    const jobAnswers: JobAnswer[] = [];
    for (const job of new Set(jobs)) jobAnswers.push(await this.follow(job));
    return { devices: answers, jobs: jobAnswers };
  }

  unsubscribe(message: unknown): object {
    const { devices, jobs } = UnsubscribeRequest.parse(message ?? {});
    const isAll = devices === undefined && jobs === undefined;
    for (const device of devices ?? (isAll ? [...this.watching.keys()] : [])) forget(this.watching, device);
    for (const job of jobs ?? (isAll ? [...this.following.keys()] : [])) forget(this.following, job);
    return {};
  }

  /** A device has changed: whoever may not see it any more is told so, and of nothing else of it. While the registry is away, nothing ends. */
  check(device: string): void {
    if (!this.watching.has(device)) return;
    this.access.authorise(this.link.connection.principal, device, 'read').catch((error: unknown) => {
      if (!isRefusal(error)) return;
      forget(this.watching, device);
      this.socket.emit('ended', { device, code: error.code, message: error.message });
    });
  }

  end(): void {
    this.ended = true;
    this.unsubscribe({});
  }

  private checkJobs(jobs: readonly string[]): void {
    if (new Set([...this.following.keys(), ...jobs]).size <= MAX_JOBS) return;
    throw new CodedError(
      'INVALID_INPUT',
      `/jobs: at most ${String(MAX_JOBS)} can be followed at a time: unsubscribe others first.`,
    );
  }

  private async follow(id: string): Promise<JobAnswer> {
    try {
      const { job, stop } = await this.followers.follow(this.link.connection.principal, id, (progress) => {
        if (!this.ended && this.link.sending(JOB_BYTES)) this.socket.emit('job', progress);
      });
      this.keep(this.following, id, stop);
      return { job };
    } catch (error) {
      if (error instanceof CodedError && error.code === 'NOT_FOUND')
        return { id, code: error.code, message: error.message };
      throw error;
    }
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
    this.keep(this.watching, device, stop);
    return { device, latest: Object.fromEntries(latest.map(({ sensor, ...reading }) => [sensor, reading])) };
  }

  private keep(subscriptions: Map<string, Unsubscribe>, id: string, stop: Unsubscribe): void {
    forget(subscriptions, id);
    if (this.ended) stop();
    else subscriptions.set(id, stop);
  }

  /** A replay goes as fast as the viewer reads; a viewer that cannot follow what is live is cut off and comes back with `since`. */
  private async deliver(event: LiveReadings): Promise<void> {
    if (event.replay) await this.link.whenRead();
    if (!this.ended && this.link.sending(event.readings.length * READING_BYTES)) this.socket.emit('readings', event);
  }
}

function forget(subscriptions: Map<string, Unsubscribe>, id: string): void {
  subscriptions.get(id)?.();
  subscriptions.delete(id);
}
