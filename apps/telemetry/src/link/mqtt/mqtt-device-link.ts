import { CodedError, type CommandView, type DeviceRef, type ErrorBody } from '#contracts';
import { uuid7 } from '#platform';
import type { AttributesUpdate, DeviceLink, Topic } from '../device-link.ts';
import type { MqttClient } from './client.ts';
import type { DeviceSession } from './device-session.ts';
import { givenAttributes } from './given-attributes.ts';

/** How long a client may take from its subscription until it asks for attributes, in ms. */
const ASKING_MS = 1_000;

const NAMES = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5' } as const;

/** How the platform speaks to a device over MQTT: on ThingsBoard's topics, of the family that the device subscribed to last. */
export class MqttDeviceLink implements DeviceLink {
  readonly id = uuid7();
  readonly via = 'mqtt';
  /** What it missed is told once this has passed: clients ask for attributes of their own accord when they connect. */
  private mayAsk: Promise<void> = Promise.resolve();
  /** The filters by which the device takes each, the newest last. */
  private readonly filters: Record<Topic, string[]> = { commands: [], attributes: [] };

  constructor(
    private readonly session: DeviceSession,
    private readonly client: MqttClient,
  ) {}

  get device(): DeviceRef {
    return this.session.principal.device;
  }

  get address(): string {
    return this.session.address;
  }

  get protocol(): string {
    const { carrier } = this.client.wire;
    return carrier === 'TCP' ? NAMES[this.client.version] : `${NAMES[this.client.version]} over ${carrier}`;
  }

  get clientId(): string {
    return this.client.clientId;
  }

  get lastSeen(): number {
    return this.client.lastHeard;
  }

  /** The device has subscribed to a filter by which it takes these. */
  opened(topic: Topic, filter: string): void {
    this.filters[topic] = [...this.filters[topic].filter((other) => other !== filter), filter];
    if (topic === 'attributes') this.mayAsk = later(ASKING_MS);
  }

  /** The device has dropped one of its filters. Does another one take these still? */
  closed(topic: Topic): boolean {
    this.filters[topic] = this.filters[topic].filter((filter) => this.session.hasFilter(filter));
    return this.filters[topic].length > 0;
  }

  async sendCommand(command: CommandView, delivered: () => void): Promise<void> {
    const topic = this.filterOf('commands').replace('+', String(command.number));
    const { method, params } = command;
    const received = this.session.send(topic, JSON.stringify({ method, params })).then(delivered);
    await Promise.race([received, nextTurn()]);
  }

  /** What the device was given because it asked is not told it again: some begin to load firmware with each of them. */
  async sendAttributes(update: AttributesUpdate): Promise<void> {
    await this.mayAsk;
    const given = givenAttributes(this.session.kept).covering(update);
    await (given ?? this.pushAttributes(update));
  }

  private async pushAttributes({ changed, deleted }: AttributesUpdate): Promise<void> {
    const topic = this.filterOf('attributes');
    const sent: Promise<void>[] = [];
    // What is gone is told first: clients begin to load firmware with what is new, and must not be told anything else then.
    if (deleted.length > 0) sent.push(this.session.send(topic, JSON.stringify({ deleted })));
    if (Object.keys(changed).length > 0) sent.push(this.session.send(topic, JSON.stringify(changed)));
    await Promise.all(sent);
  }

  relay(from: string, topic: string, payload: Buffer): boolean {
    const [other, own] = [`device/${from}/master`, `device/${this.device.id}/master`];
    const spelled = this.session.spelled([topic, other, own, 'device/me/master']);
    if (spelled === undefined) return false;
    this.session.send(spelled, payload).catch(() => undefined);
    return true;
  }

  close(reason: ErrorBody): void {
    this.client.close(reason);
  }

  private filterOf(topic: Topic): string {
    const filter = this.filters[topic].at(-1);
    if (filter === undefined) throw new CodedError('DEVICE_OFFLINE', `The device has not subscribed to ${topic}.`);
    return filter;
  }
}

/** What could not be written has failed by then. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
