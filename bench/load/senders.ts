import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { Ranges } from '../counting/ranges.ts';
import { readingsOf, type PlannedReading } from '../counting/series-plan.ts';
import type { LoadSpec } from './load-spec.ts';

const Refusal = z.object({ ok: z.literal(false), code: z.string(), retryAfterMs: z.number().optional() });

/** How many readings of a message were rejected; undefined for a refusal. By hand, since the generator's own work costs the server. */
function rejectedOf(answer: unknown): number | undefined {
  const isReceipt = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true;
  return isReceipt && 'rejected' in answer && Array.isArray(answer.rejected) ? answer.rejected.length : undefined;
}

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
  private readonly sockets: Socket[];

  constructor(private readonly spec: LoadSpec) {
    this.devices = spec.tokens.map((_, index) => new Device(spec, index, spec.from[index] ?? 0));
    this.sockets = Array.from({ length: spec.sockets }, (_, i) =>
      io(`${spec.url}/telemetry`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: false,
        autoConnect: false,
        auth: { token: spec.tokens[i % spec.tokens.length] },
      }),
    );
  }

  get sent(): Ranges[] {
    return this.devices.map(({ sent }) => sent);
  }

  get acknowledged(): Ranges[] {
    return this.devices.map(({ acknowledged }) => acknowledged);
  }

  async connect(): Promise<void> {
    for (const socket of this.sockets) {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('connect_error', reject).connect();
      });
    }
  }

  /** Sends the next message of connection `index`; `ended` is called when its answer comes. */
  send(index: number, ended: (how: Ended) => void): void {
    const device = this.devices[index % this.devices.length];
    const socket = this.sockets[index];
    if (!device || !socket) throw new Error(`there is no connection ${index}`);
    const { from, to, payload } = device.take(this.spec.batch);
    this.waiting += 1;
    socket.emit('readings', payload, (answer: unknown) => {
      this.waiting -= 1;
      ended(this.settle(device, from, to, answer));
    });
  }

  disconnect(): void {
    for (const socket of this.sockets) socket.disconnect();
  }

  private settle(device: Device, from: number, to: number, answer: unknown): Ended {
    const rejected = rejectedOf(answer);
    if (rejected === 0) device.acknowledged.add(from, to);
    if (rejected !== undefined) {
      this.rejected += rejected;
      return { ok: true };
    }
    const { code, retryAfterMs = 1_000 } = Refusal.parse(answer);
    this.refused[code] = (this.refused[code] ?? 0) + 1;
    return { ok: false, retryAfterMs };
  }
}
