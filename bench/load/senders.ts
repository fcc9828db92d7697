import { Ranges } from '../counting/ranges.ts';
import { readingsOf, type PlannedReading } from '../counting/series-plan.ts';
import type { Answer, Channel } from './channel.ts';
import type { LoadSpec } from './load-spec.ts';
import { MqttChannel } from './mqtt-channel.ts';
import { SocketChannel } from './socket-channel.ts';

/** Where a device of ours publishes its readings. */
const READINGS_TOPIC = 'device/me/data';

const channelOf = (url: string, token: string | undefined): Channel =>
  url.startsWith('mqtt:')
    ? new MqttChannel({ url, userName: token, topic: READINGS_TOPIC })
    : new SocketChannel(url, token);

/** How a message ended: with a receipt, or refused and to be waited for so many milliseconds. */
export type Ended = { ok: true } | { ok: false; retryAfterMs: number };

/** A device's readings, numbered as they leave, over however many connections. */
class Device {
  readonly sent = new Ranges();
  readonly acknowledged = new Ranges();
  private readonly reading: (n: number) => PlannedReading;

  constructor(
    spec: LoadSpec,
    index: number,
    private next: number,
  ) {
    this.reading = readingsOf(spec.plan, index);
  }

  take(batch: number): { from: number; to: number; payload: PlannedReading | PlannedReading[] } {
    const from = this.next;
    this.next += batch;
    this.sent.add(from, this.next);
    const payload = batch === 1 ? this.reading(from) : Array.from({ length: batch }, (_, i) => this.reading(from + i));
    return { from, to: this.next, payload };
  }
}

/** Every device and connection of a load, and what became of its messages. */
export class Senders {
  readonly refused: Record<string, number> = {};
  rejected = 0;
  /** Messages without an answer. */
  waiting = 0;
  private readonly devices: Device[];
  private readonly channels: Channel[];

  constructor(private readonly spec: LoadSpec) {
    this.devices = spec.tokens.map((_, index) => new Device(spec, index, spec.from[index] ?? 0));
    this.channels = Array.from({ length: spec.sockets }, (_, i) =>
      channelOf(spec.url, spec.tokens[i % spec.tokens.length]),
    );
  }

  get sent(): Ranges[] {
    return this.devices.map(({ sent }) => sent);
  }

  get acknowledged(): Ranges[] {
    return this.devices.map(({ acknowledged }) => acknowledged);
  }

  async connect(): Promise<void> {
    for (const channel of this.channels) await channel.connect();
  }

  /** Sends the next message of connection `index`; `ended` is called when its answer comes. */
  send(index: number, ended: (how: Ended) => void): void {
    const device = this.devices[index % this.devices.length];
    const channel = this.channels[index];
    if (!device || !channel) throw new Error(`there is no connection ${index}`);
    const { from, to, payload } = device.take(this.spec.batch);
    this.waiting += 1;
    channel.send(payload, (answer) => {
      this.waiting -= 1;
      ended(this.settle(device, from, to, answer));
    });
  }

  disconnect(): void {
    for (const channel of this.channels) channel.disconnect();
  }

  private settle(device: Device, from: number, to: number, answer: Answer): Ended {
    if ('rejected' in answer) {
      if (answer.rejected === 0) device.acknowledged.add(from, to);
      this.rejected += answer.rejected;
      return { ok: true };
    }
    this.refused[answer.code] = (this.refused[answer.code] ?? 0) + 1;
    return { ok: false, retryAfterMs: answer.retryAfterMs };
  }
}
