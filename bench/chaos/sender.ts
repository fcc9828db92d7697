import type { ReadingInput } from '#contracts';
import { FieldlineDevice } from '#device-sdk';
import { Ranges } from '../counting/ranges.ts';
import { numberOf, readingsOf, type PlannedReading, type SeriesPlan } from '../counting/series-plan.ts';
import type { Sent } from '../counting/tally.ts';
import { CountedOutbox } from './counted-outbox.ts';
import { Pauses } from './pauses.ts';

/** Impatient, so that a strike is over soon; what is measured of pauses includes these. */
const LINK = {
  batch: { maxReadings: 100, lingerMs: 5 },
  ackTimeoutMs: 3_000,
  connectTimeoutMs: 3_000,
  backoff: { baseMs: 100, maxMs: 1_000 },
};

/** One device of a fleet: the SDK as it is, sending planned readings and remembering which have a receipt. */
export class Sender implements Sent {
  readonly sent = new Ranges();
  readonly acknowledged = new Ranges();
  readonly pauses = new Pauses();
  readonly device: FieldlineDevice;
  /** Readings acknowledged so far. */
  receipts = 0;
  private readonly reading: (n: number) => PlannedReading;
  private next = 0;

  constructor(
    plan: SeriesPlan,
    index: number,
    way: { url: string; token: string; transport: 'socket' | 'mqtt'; mqttUrl: string },
  ) {
    this.reading = readingsOf(plan, index);
    const outbox = new CountedOutbox((readings) => this.remember(plan, readings));
    this.device = new FieldlineDevice({ ...way, outbox, ...LINK });
    this.device.on('receipt', ({ accepted }) => {
      this.receipts += accepted;
      this.pauses.receipt(performance.now());
    });
  }

  /** Hands the next readings to the device, which sends them until they have their receipt. */
  async send(count: number): Promise<void> {
    const from = this.next;
    this.next += count;
    this.sent.add(from, this.next);
    await this.device.send(Array.from({ length: count }, (_, i) => this.reading(from + i)));
  }

  private remember(plan: SeriesPlan, readings: readonly ReadingInput[]): void {
    for (const { sensor, ts } of readings) {
      if (sensor === undefined || typeof ts !== 'number') throw new Error('a reading that was not planned');
      this.acknowledged.add(numberOf(plan, { sensor, ts }));
    }
  }
}
