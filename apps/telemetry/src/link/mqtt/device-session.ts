import type { Authenticated, PresentedCredentials } from '#access';
import { CodedError, type DevicePrincipal, type DeviceRef } from '#contracts';
import type { Connection } from '../connections.ts';
import type { Ending, MqttClient } from './client.ts';
import type { InboundMessage } from './inbound-message.ts';
import { MqttDeviceLink } from './mqtt-device-link.ts';
import type { MqttServices } from './mqtt-services.ts';
import { REASON } from './reason-codes.ts';
import type { Role, Session } from './session.ts';
import type { Acknowledgement, Begun, MqttLink } from './topic-handler.ts';
import { isAllowed, type FoundTopic } from './topics.ts';
import type { Will } from './will.ts';

/** Refusals of one link that are logged for all to see. */
const REFUSALS_LOGGED = 20;

/** A device that was let in over MQTT: what it may do, and what the rest of the house sees of it. */
export class DeviceSession implements Role, MqttLink {
  readonly link: MqttDeviceLink;
  private session: Session | undefined;
  private connection: Connection | undefined;
  private controller: AbortController | undefined;
  private keeps: Map<symbol, unknown> | undefined;
  ended = false;
  private refusals = 0;

  constructor(
    private readonly client: MqttClient,
    private readonly authenticated: Authenticated,
    private readonly presented: PresentedCredentials,
    public principal: DevicePrincipal,
    private readonly will: Will | undefined,
  ) {
    this.link = new MqttDeviceLink(this, client);
  }

  /** The session that this device has; it is there before anything else happens. */
  attach(session: Session): void {
    this.session = session;
  }

  get name(): string {
    return `device ${this.principal.device.id}`;
  }

  get address(): string {
    return this.client.origin.address;
  }

  get version(): 3 | 4 | 5 {
    return this.client.version;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.ended) this.controller.abort();
    return this.controller.signal;
  }

  get kept(): Map<symbol, unknown> {
    return (this.keeps ??= new Map());
  }

  isSubscribed(topic: string): boolean {
    return this.session?.subscriptions.matching(topic) !== undefined;
  }

  /** The topic as the device spells it in its subscription, of several that mean the same; undefined if it has subscribed to none. */
  spelled(topics: readonly string[]): string | undefined {
    for (const topic of topics) {
      const filter = this.session?.subscriptions.matching(topic)?.filter;
      if (filter !== undefined) return filter.includes('+') ? topic : filter;
    }
    return undefined;
  }

  async send(topic: string, payload: Buffer | string): Promise<void> {
    if (!this.session) throw new CodedError('DEVICE_OFFLINE', 'The device’s link has not begun.');
    await this.session.outbound.send(topic, payload, this.session.subscriptions.matching(topic)?.qos ?? 1);
  }

  begin(): void {
    const { connections, links, log } = this.services;
    this.connection = connections.add(this.authenticated, this.presented, {
      // Nothing in MQTT could tell that a credential is about to end: it ends.
      warn: () => undefined,
      close: (reason) => {
        this.client.close(reason);
      },
    });
    links.open(this.link);
    log.info(
      { device: this.principal.device.id, address: this.address, protocol: this.link.protocol },
      'MQTT: connected',
    );
  }

  end({ reason, code, by }: Ending): void {
    const { connections, links, log, keepWill } = this.services;
    this.ended = true;
    this.controller?.abort();
    if (this.connection) connections.remove(this.connection);
    links.close(this.link, reason);
    if (this.will && leavesWill(code, by)) {
      const { topic, payload, delaySeconds } = this.will;
      keepWill(this.principal.device.id, { kind: 'will', reason, topic, payload }, delaySeconds);
    }
    log.info({ device: this.principal.device.id, reason, code }, 'MQTT: disconnected');
  }

  mayPublish(found: FoundTopic): boolean {
    return isAllowed(found.rule.publish, found, this.principal);
  }

  maySubscribe(found: FoundTopic): boolean | Promise<boolean> {
    if (!isAllowed(found.rule.subscribe, found, this.principal)) return false;
    const [id = ''] = found.levels;
    if (found.rule.subscribe !== 'pair' || id === 'me' || id === this.principal.device.id) return true;
    return this.services.isPair(this.principal, id);
  }

  subscribed({ rule }: FoundTopic, filter: string): void {
    if (rule.opens) this.link.opened(rule.opens, filter);
    if (rule.opens) this.services.links.ready(this.link, rule.opens);
  }

  unsubscribed({ rule }: FoundTopic): void {
    if (rule.opens && !this.link.closed(rule.opens)) this.services.links.notReady(this.link, rule.opens);
  }

  count(): void {
    this.services.count(this.principal);
  }

  handle(message: InboundMessage): Begun | Promise<Acknowledgement | void> {
    const handler = message.found?.rule.handler;
    const take = handler === undefined || handler === 'provision' ? undefined : this.services.handlers[handler];
    if (!take) throw new CodedError('TOPIC_NOT_ALLOWED', 'Nothing takes in what is published on this topic.');
    return take(this, message);
  }

  refused(reason: string, topic: string): void {
    this.refusals += 1;
    const level = this.refusals > REFUSALS_LOGGED ? 'debug' : 'info';
    this.services.log[level]({ device: this.principal.device.id, topic: topic.slice(0, 256), reason }, 'MQTT: refused');
    this.services.note(this.principal.device.id, { kind: 'refused', reason, topic: topic.slice(0, 256) });
  }

  /** A device that has got another master, or none, goes on as what it is now. */
  changed(device: DeviceRef): void {
    if (device.id === this.principal.device.id) this.principal = { ...this.principal, device };
  }

  /** Filters of the client, in the order in which it subscribed to them. */
  hasFilter(filter: string): boolean {
    return this.session?.subscriptions.has(filter) ?? false;
  }

  private get services(): MqttServices {
    return this.client.services;
  }
}

/**
 * A will is left behind unless the client has said goodbye without it (MQTT 5 section 3.1.2.5), or we go ourselves: then the standard
 * leaves it to us, and the device is about to connect to another replica.
 */
const leavesWill = (code: number, by: Ending['by']): boolean =>
  by === 'client' ? code !== REASON.success : code !== REASON.serverShuttingDown;
