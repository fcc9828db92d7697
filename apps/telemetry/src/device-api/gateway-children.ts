import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CodedError, type CommandView, type DeviceRef, type ErrorBody } from '#contracts';
import { Events, RpcClient, type Unsubscribe } from '#messaging';
import { CLOCK, uuid7, type Clock } from '#platform';
import type { AttributesUpdate, DeviceLink } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import type { MqttLink } from '../link/mqtt/topic-handler.ts';

const SESSION = Symbol('children of a gateway');
/** Number of what a gateway is told that is no command: those are counted from 1. Nobody waits for its answer. */
const NOTICE = 0;

/** The devices behind gateways that are connected to this replica: found or made by their names, each with a link of its own. */
@Injectable()
export class GatewayChildren implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly sessions = new Set<GatewaySession>();
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(Events) private readonly events: Events,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.events.on('registry.device.changed', ({ change, device }) => {
      if (change === 'created') return;
      for (const session of this.sessions) session.changed(device, change === 'deleted');
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** The devices of one session of a gateway. */
  of(link: MqttLink): GatewaySession {
    const kept = link.kept.get(SESSION);
    if (kept instanceof GatewaySession) return kept;
    const session = new GatewaySession(link, this.links, this.now, (name, profile) =>
      this.rpc.call('registry.devices.child', {
        gatewayId: link.principal.device.id,
        name,
        ...(profile ? { profile } : {}),
      }),
    );
    link.kept.set(SESSION, session);
    this.sessions.add(session);
    link.signal.addEventListener(
      'abort',
      () => {
        this.sessions.delete(session);
        session.end();
      },
      { once: true },
    );
    return session;
  }
}

type FindOrMake = (name: string, profile: string | undefined) => Promise<DeviceRef>;

/** The devices that one session of a gateway has spoken for. */
export class GatewaySession {
  private readonly children = new Map<string, Promise<ChildLink>>();

  constructor(
    private readonly link: MqttLink,
    private readonly links: DeviceLinks,
    private readonly now: Clock,
    private readonly findOrMake: FindOrMake,
  ) {}

  /**
   * The device of this name; linked from now on, if it was not. `profile` is that of a device that is new. Throws `NOT_A_GATEWAY`,
   * `DEVICE_LIMIT_REACHED`, `INVALID_INPUT` for a name that cannot be one.
   */
  async child(name: string, profile?: string): Promise<DeviceRef> {
    let child = this.children.get(name);
    if (!child) {
      child = this.open(name, profile);
      this.children.set(name, child);
    }
    try {
      const link = await child;
      link.lastSeen = this.now();
      return link.device;
    } catch (thrown) {
      this.children.delete(name);
      throw thrown;
    }
  }

  /** The gateway no longer speaks for the device of this name. */
  release(name: string, reason = 'the gateway disconnected it'): void {
    const child = this.children.get(name);
    this.children.delete(name);
    child?.then(
      (link) => {
        this.links.close(link, reason);
      },
      () => undefined,
    );
  }

  /**
   * A device is not what it was: one that is gone, or called something else, is looked for anew when it is named next. The gateway is told,
   * so that it goes on with the new name, and not with a new device of the old one.
   */
  changed(device: DeviceRef, isGone: boolean): void {
    for (const [name, child] of this.children) {
      child.then(
        (link) => {
          if (link.device.id !== device.id) return;
          if (isGone) this.tellOfLoss(name, 'the device was deleted', 'gateway_device_deleted', name);
          else if (device.name !== link.device.name) {
            this.tellOfLoss(name, 'the device was renamed', 'gateway_device_renamed', { [name]: device.name });
          }
        },
        () => undefined,
      );
    }
  }

  private tellOfLoss(name: string, reason: string, method: string, params: unknown): void {
    this.release(name, reason);
    const topic = `v1/devices/me/rpc/request/${String(NOTICE)}`;
    if (!this.link.isSubscribed(topic)) return;
    this.link.send(topic, JSON.stringify({ method, params })).catch(() => undefined);
  }

  end(): void {
    for (const name of [...this.children.keys()]) this.release(name, 'the connection of its gateway ended');
  }

  private async open(name: string, profile: string | undefined): Promise<ChildLink> {
    const device = await this.findOrMake(name, profile);
    if (this.link.ended) throw new CodedError('UNAVAILABLE', 'The connection of the gateway has ended.');
    const child = new ChildLink(device, name, this.link, this.now(), (reason) => {
      this.release(name, reason.message);
    });
    this.links.open(child);
    this.links.ready(child, 'commands');
    this.links.ready(child, 'attributes');
    return child;
  }
}

/** The link of a device behind a gateway: what it is told goes to the gateway, which knows it by its name. */
class ChildLink implements DeviceLink {
  readonly id = uuid7();
  readonly via = 'gateway';
  readonly address: string;
  readonly protocol: string;
  readonly clientId = null;

  constructor(
    readonly device: DeviceRef,
    private readonly name: string,
    private readonly gateway: MqttLink,
    public lastSeen: number,
    readonly close: (reason: ErrorBody) => void,
  ) {
    this.address = gateway.address;
    this.protocol = `gateway, ${gateway.version === 5 ? 'MQTT 5' : 'MQTT 3'}`;
  }

  async sendCommand({ number, method, params }: CommandView, delivered: () => void): Promise<void> {
    const received = this.send('v1/gateway/rpc', { id: number, method, params }).then(delivered);
    await Promise.race([received, nextTurn()]);
  }

  async sendAttributes({ changed, deleted }: AttributesUpdate): Promise<void> {
    if (deleted.length > 0) await this.send('v1/gateway/attributes', { deleted });
    if (Object.keys(changed).length > 0) await this.send('v1/gateway/attributes', changed);
  }

  private send(topic: string, data: unknown): Promise<void> {
    return this.gateway.send(topic, JSON.stringify({ device: this.name, data }));
  }
}

/** What could not be written has failed by then. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
