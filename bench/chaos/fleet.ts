import { waitUntil } from '#testing';
import type { SeriesPlan } from '../counting/series-plan.ts';
import { Sender } from './sender.ts';

const TICK_MS = 20;
/** How long the platform may take until every device has receipts again, and until the last reading has its own. */
const PATIENCE_MS = 60_000;

export interface FleetOptions {
  url: string;
  mqttUrl: string;
  tokens: readonly string[];
  plan: SeriesPlan;
  /** Of each device. */
  readingsPerSecond: number;
}

/** Devices that send at a steady rate, whether they are acknowledged or not: every other one over MQTT. */
export class Fleet {
  readonly senders: Sender[];
  private readonly ticking: NodeJS.Timeout[] = [];
  private failure: Error | undefined;

  constructor(private readonly options: FleetOptions) {
    const { url, mqttUrl, tokens, plan } = options;
    this.senders = tokens.map((token, index) => {
      const transport = index % 2 === 0 ? 'socket' : 'mqtt';
      return new Sender(plan, index, { url, token, transport, mqttUrl });
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.senders.map(({ device }) => device.connect()));
    this.senders.forEach((sender, index) => {
      const offsetMs = (index * TICK_MS) / this.senders.length;
      this.ticking.push(setTimeout(() => this.tick(sender), offsetMs));
    });
    await this.everybodyHasReceipts();
  }

  /** Readings with a receipt. */
  get receipts(): number {
    return this.senders.reduce((sum, sender) => sum + sender.receipts, 0);
  }

  get resent(): number {
    return this.senders.reduce((sum, { device }) => sum + device.stats.resent, 0);
  }

  get rejected(): number {
    return this.senders.reduce((sum, { device }) => sum + device.stats.rejected, 0);
  }

  /** Looks out for the longest pause from here on. */
  watchPauses(): void {
    for (const { pauses } of this.senders) pauses.begin();
  }

  /** The longest that any device was without a receipt, ms. */
  get longestPauseMs(): number {
    return Math.max(0, ...this.senders.map(({ pauses }) => pauses.longestMs));
  }

  /** Resolves once each device has had a receipt after this call. */
  async everybodyHasReceipts(): Promise<void> {
    const since = performance.now();
    await waitUntil(() => this.senders.every(({ pauses }) => (pauses.last ?? 0) > since), {
      what: 'every device has receipts',
      timeoutMs: PATIENCE_MS,
    });
  }

  /** Sends nothing new, waits for the receipts of everything, and disconnects. Resolves with the readings left without one. */
  async finish(): Promise<number> {
    this.silence();
    await Promise.all(this.senders.map(({ device }) => device.flush({ timeoutMs: PATIENCE_MS })));
    await this.stop();
    if (this.failure) throw this.failure;
    return this.senders.reduce((sum, { device }) => sum + device.stats.queued, 0);
  }

  /** Ends it, with whatever has no receipt yet. */
  async stop(): Promise<void> {
    this.silence();
    await Promise.all(this.senders.map(({ device }) => device.close()));
  }

  /** At any time some device has a batch under way: they do not send in step. */
  private tick(sender: Sender): void {
    const count = Math.ceil((this.options.readingsPerSecond * TICK_MS) / 1_000);
    const send = (): void => {
      sender.send(count).catch((cause: unknown) => {
        this.failure ??= new Error('a device did not take a reading', { cause });
      });
    };
    this.ticking.push(setInterval(send, TICK_MS));
  }

  private silence(): void {
    for (const timer of this.ticking) clearInterval(timer);
  }
}
