import { type BackoffOptions, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { LinkLostError, RefusedError, type Talk } from '../link/talk.ts';
import type { FirmwareReport } from '../link/transport.ts';
import { isForGood } from '../refusal.ts';

interface Options {
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
}

/** States that may wait for a link; older ones give way. */
const MAX_WAITING = 50;

/** Tells the platform of states in their order, each until it has it. Of downloads, how far they are now is enough. */
export class StateReports {
  private waiting: FirmwareReport[] = [];
  private sending = false;
  private setbacks = 0;
  private cancelRetry: (() => void) | undefined;

  constructor(
    private readonly talk: Talk,
    private readonly options: Options,
  ) {}

  add(report: FirmwareReport): void {
    const last = this.waiting.at(-1);
    if (last?.state === 'DOWNLOADING' && report.state === 'DOWNLOADING') this.waiting.pop();
    this.waiting = [...this.waiting, report].slice(-MAX_WAITING);
    void this.send();
  }

  linkUp(): void {
    void this.send();
  }

  stop(): void {
    this.cancelRetry?.();
    this.waiting = [];
  }

  private async send(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    while (this.talk.isUp && !this.cancelRetry) {
      const next = this.waiting.shift();
      if (!next) break;
      await this.sendOne(next);
    }
    this.sending = false;
  }

  private async sendOne(report: FirmwareReport): Promise<void> {
    try {
      await this.talk.reportFirmware(report);
      this.setbacks = 0;
    } catch (error) {
      if (error instanceof RefusedError && isForGood(error.code)) return;
      this.waiting.unshift(report);
      if (!(error instanceof LinkLostError) || this.talk.isUp) this.retryLater();
    }
  }

  private retryLater(): void {
    const { clock, backoff, random } = this.options;
    this.cancelRetry = clock.after(fullJitter(this.setbacks, backoff, random), () => {
      this.cancelRetry = undefined;
      void this.send();
    });
    this.setbacks += 1;
  }
}
