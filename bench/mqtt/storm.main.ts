import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Ranges } from '../counting/ranges.ts';
import { readingsOf, type PlannedReading, type SeriesPlan } from '../counting/series-plan.ts';
import { MqttChannel } from '../load/mqtt-channel.ts';

/** What the process is asked to do. */
const Storm = z.object({
  url: z.string(),
  plan: z.object({ name: z.string(), devices: z.number(), sensors: z.number(), t0: z.number() }),
  tokens: z.array(z.string()),
});

/** Of each device. */
const READING_EVERY_MS = 2_000;
/** The longest that a device waits before it connects again; by chance, as devices do that mean well. */
const BACK_AFTER_MS = 1_000;
const CONNECT_AT_ONCE = 100;
/** How long a reading waits for its PUBACK before it is sent again, on the same link or the next. */
const PATIENCE_MS = 10_000;

/** A device that keeps a link and sends a reading now and then, the same one until it is acknowledged. */
class Device {
  readonly acknowledged = new Ranges();
  sentUpTo = 0;
  isLinked = false;
  private readonly reading: (n: number) => PlannedReading;
  private link: MqttChannel | undefined;
  private isEnding = false;

  constructor(
    private readonly url: string,
    private readonly token: string,
    plan: SeriesPlan,
    index: number,
  ) {
    this.reading = readingsOf(plan, index);
  }

  async connect(): Promise<void> {
    const options = { url: this.url, userName: this.token, topic: 'device/me/data' };
    const link = new MqttChannel(options, () => this.lost(link));
    await link.connect();
    this.link = link;
    this.isLinked = true;
  }

  /** Sends until it is told to end; resolves once the last reading is acknowledged. */
  async send(): Promise<void> {
    await sleep(Math.random() * READING_EVERY_MS);
    for (let n = 0; !this.isEnding; n += 1) {
      this.sentUpTo = n + 1;
      while (!(await this.isAcknowledged(n)));
      this.acknowledged.add(n);
      await sleep(READING_EVERY_MS);
    }
  }

  end(): void {
    this.isEnding = true;
  }

  private lost(link: MqttChannel): void {
    if (this.link !== link) return;
    this.isLinked = false;
    void this.comeBack();
  }

  private async comeBack(): Promise<void> {
    while (!this.isLinked) {
      await sleep(Math.random() * BACK_AFTER_MS);
      await this.connect().catch(() => undefined);
    }
  }

  private async isAcknowledged(n: number): Promise<boolean> {
    if (!this.isLinked) {
      await sleep(50);
      return false;
    }
    return new Promise((resolve) => {
      const patience = setTimeout(() => resolve(false), PATIENCE_MS);
      this.link?.send(this.reading(n), (answer) => {
        clearTimeout(patience);
        resolve('rejected' in answer && answer.rejected === 0);
      });
    });
  }
}

async function connectAll(devices: readonly Device[]): Promise<void> {
  for (let from = 0; from < devices.length; from += CONNECT_AT_ONCE) {
    await Promise.all(devices.slice(from, from + CONNECT_AT_ONCE).map((device) => device.connect()));
  }
}

/** Tells `linked` once all are there, `back` with the time since the first was lost once all are back, `done` with what was sent. */
async function run({ url, plan, tokens }: z.output<typeof Storm>): Promise<void> {
  const devices = tokens.map((token, index) => new Device(url, token, plan, index));
  await connectAll(devices);
  const sending = devices.map((device) => device.send());
  process.send?.({ linked: devices.length });
  while (devices.every(({ isLinked }) => isLinked)) await sleep(5);
  const lostAt = performance.now();
  while (!devices.every(({ isLinked }) => isLinked)) await sleep(5);
  process.send?.({ backMs: performance.now() - lostAt });
  process.once('message', () => {
    for (const device of devices) device.end();
  });
  await Promise.all(sending);
  process.send?.({
    sent: devices.map(({ sentUpTo }) => [[0, sentUpTo]]),
    acknowledged: devices.map(({ acknowledged }) => [...acknowledged]),
  });
}

process.once('message', (message) => {
  run(Storm.parse(message)).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
