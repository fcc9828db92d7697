import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayInit } from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { Authenticator } from '#access';
import { CodedError, type JobView, type Reading, type RolloutView } from '#contracts';
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
import { DeviceEvents } from './device-events.ts';
import { JobFollowers } from './job-followers.ts';
import { RolloutFollowers } from './rollout-followers.ts';
import {
  MAX_JOBS,
  MAX_ROLLOUTS,
  SubscribeRequest,
  UnsubscribeRequest,
  type LiveReadings,
  type ViewedEvent,
} from './subscription.ts';
import { Viewers } from './viewers.ts';

/** Bytes that one reading takes in an event, about. */
const READING_BYTES = 120;
/** Bytes that the state of an import takes in an event, about. */
const JOB_BYTES = 250;
/** Bytes that the state of a rollout takes in an event, about. */
const ROLLOUT_BYTES = 400;

/** What a viewer is told of each device it asked for. */
type DeviceAnswer =
  | { device: string; latest: Record<string, Omit<Reading, 'sensor'>> }
  | { device: string; code: string; message: string };

/** What a viewer is told of each rollout it asked for. */
type RolloutAnswer = { rollout: RolloutView } | { id: string; code: string; message: string };

/** What a viewer is told of each import it asked for. */
type JobAnswer = { job: JobView } | { id: string; code: string; message: string };

/**
 * What is live, for viewers, namespace `/live`: `subscribe` with devices, then events `readings`, and those of the names in `events`, each
 * `{device, ...}`; with jobs, then events `job`; with rollouts, then events `rollout`.
 */
@WebSocketGateway({ namespace: '/live', ...SOCKET_SERVER })
export class LiveGateway implements OnGatewayInit, OnGatewayConnection {
  private readonly connected = new Set<Viewer>();

  constructor(
    @Inject(Viewers) private readonly viewers: Viewers,
    @Inject(JobFollowers) private readonly followers: JobFollowers,
    @Inject(RolloutFollowers) private readonly rolloutFollowers: RolloutFollowers,
    @Inject(DeviceEvents) private readonly deviceEvents: DeviceEvents,
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
    const viewer = new Viewer(socket, new SocketConnection(socket, this.connections, this.log), {
      readings: this.viewers,
      events: this.deviceEvents,
      jobs: this.followers,
      rollouts: this.rolloutFollowers,
      access: this.access,
    });
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

/** Where what viewers see comes from. */
interface Sources {
  readings: Viewers;
  events: DeviceEvents;
  jobs: JobFollowers;
  rollouts: RolloutFollowers;
  access: DeviceAccess;
}

/** One viewer's connection and what it watches. */
class Viewer {
  private readonly watching = new Map<string, Unsubscribe>();
  private readonly following = new Map<string, Unsubscribe>();
  private readonly followingRollouts = new Map<string, Unsubscribe>();
  private ended = false;

  constructor(
    private readonly socket: OurSocket,
    private readonly link: SocketConnection,
    private readonly sources: Sources,
  ) {}

  /**
   * Answers with the newest readings of each device and the state of each import and rollout, or why it may not be watched; a second
   * subscription replaces the first.
   */
  async subscribe(
    message: unknown,
  ): Promise<{ devices: DeviceAnswer[]; jobs?: JobAnswer[]; rollouts?: RolloutAnswer[] }> {
    const { devices = [], sensors, since, events, jobs, rollouts } = SubscribeRequest.parse(message);
    checkCount('jobs', this.following, jobs ?? [], MAX_JOBS);
    checkCount('rollouts', this.followingRollouts, rollouts ?? [], MAX_ROLLOUTS);
    const wanted = { sensors, since, events: new Set(events) };
    const answers: DeviceAnswer[] = [];
    for (const device of new Set(devices)) answers.push(await this.watch(device, wanted));
    return {
      devices: answers,
      ...(jobs && { jobs: await eachOnce(jobs, (job) => this.follow(job)) }),
      ...(rollouts && { rollouts: await eachOnce(rollouts, (rollout) => this.followRollout(rollout)) }),
    };
  }

  unsubscribe(message: unknown): object {
    const { devices, jobs, rollouts } = UnsubscribeRequest.parse(message ?? {});
    const isAll = devices === undefined && jobs === undefined && rollouts === undefined;
    const forgetAll = (subscriptions: Map<string, Unsubscribe>, ids: readonly string[] | undefined): void => {
      for (const id of ids ?? (isAll ? [...subscriptions.keys()] : [])) forget(subscriptions, id);
    };
    forgetAll(this.watching, devices);
    forgetAll(this.following, jobs);
    forgetAll(this.followingRollouts, rollouts);
    return {};
  }

  /** A device has changed: whoever may not see it any more is told so, and of nothing else of it. While the registry is away, nothing ends. */
  check(device: string): void {
    if (!this.watching.has(device)) return;
    this.sources.access.authorise(this.link.connection.principal, device, 'read').catch((error: unknown) => {
      if (!isRefusal(error)) return;
      forget(this.watching, device);
      this.socket.emit('ended', { device, code: error.code, message: error.message });
    });
  }

  end(): void {
    this.ended = true;
    this.unsubscribe({});
  }

  private async follow(id: string): Promise<JobAnswer> {
    try {
      const { job, stop } = await this.sources.jobs.follow(this.link.connection.principal, id, (progress) => {
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

  private async followRollout(id: string): Promise<RolloutAnswer> {
    try {
      const { rollout, stop } = await this.sources.rollouts.follow(this.link.connection.principal, id, (progress) => {
        if (!this.ended && this.link.sending(ROLLOUT_BYTES)) this.socket.emit('rollout', progress);
      });
      this.keep(this.followingRollouts, id, stop);
      return { rollout };
    } catch (error) {
      if (error instanceof CodedError && (error.code === 'NOT_FOUND' || error.code === 'FORBIDDEN'))
        return { id, code: error.code, message: error.message };
      throw error;
    }
  }

  private async watch(device: string, { sensors, since, events }: Wanted): Promise<DeviceAnswer> {
    const { access, readings } = this.sources;
    try {
      await access.authorise(this.link.connection.principal, device, 'read');
    } catch (error) {
      if (isRefusal(error)) return { device, code: error.code, message: error.message };
      throw error;
    }
    const latest = await readings.latest(device, sensors);
    const stopReadings = await readings.watch(device, sensors, since, (event) => this.deliver(event));
    const stopEvents = this.watchEvents(device, events);
    this.keep(this.watching, device, () => {
      stopReadings();
      stopEvents();
    });
    return { device, latest: Object.fromEntries(latest.map(({ sensor, ...reading }) => [sensor, reading])) };
  }

  private watchEvents(device: string, wanted: ReadonlySet<ViewedEvent>): Unsubscribe {
    if (wanted.size === 0) return () => undefined;
    return this.sources.events.watch(device, ({ event, data }, bytes) => {
      if (!wanted.has(event) || this.ended || !this.link.sending(bytes)) return;
      this.socket.emit(event, { ...data, device });
    });
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

/** What a viewer wants of each device. */
interface Wanted {
  sensors: string[] | undefined;
  since: number | undefined;
  events: ReadonlySet<ViewedEvent>;
}

async function eachOnce<T>(ids: readonly string[], answer: (id: string) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const id of new Set(ids)) answers.push(await answer(id));
  return answers;
}

/** Throws `INVALID_INPUT` if that would be more than can be followed at a time. */
function checkCount(
  what: string,
  following: ReadonlyMap<string, unknown>,
  wanted: readonly string[],
  most: number,
): void {
  if (new Set([...following.keys(), ...wanted]).size <= most) return;
  throw new CodedError(
    'INVALID_INPUT',
    `/${what}: at most ${String(most)} can be followed at a time: unsubscribe others first.`,
  );
}

function forget(subscriptions: Map<string, Unsubscribe>, id: string): void {
  subscriptions.get(id)?.();
  subscriptions.delete(id);
}
