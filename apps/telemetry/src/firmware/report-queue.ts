import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { LOGGER, type Log } from '#platform';

/** Devices that may have reports waiting; those of more are left out, the device says it again when it connects. */
const MAX_DEVICES = 20_000;
/** Reports of one device that may wait; the oldest give way. */
const MAX_REPORTS = 16;
/** Devices whose reports are worked on at once. */
const AT_ONCE = 4;
/** How long to wait while the database is away, in ms. */
const PAUSE_MS = 2_000;

/** What devices report with their telemetry, worked on beside it: in the order of each device, some devices at once. */
@Injectable()
export class ReportQueue implements BeforeApplicationShutdown {
  private readonly waiting = new Map<string, (() => Promise<void>)[]>();
  private readonly busy = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly workers = new Set<Promise<void>>();

  constructor(@Inject(LOGGER) private readonly log: Log) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.workers);
  }

  add(deviceId: string, work: () => Promise<void>): void {
    const reports = this.waiting.get(deviceId) ?? [];
    if (reports.length === 0 && this.waiting.size >= MAX_DEVICES) return;
    this.waiting.set(deviceId, [...reports.slice(1 - MAX_REPORTS), work]);
    if (this.workers.size >= AT_ONCE || this.stopping.signal.aborted) return;
    const worker = this.drain().finally(() => this.workers.delete(worker));
    this.workers.add(worker);
  }

  private async drain(): Promise<void> {
    for (let next = this.next(); next !== undefined; next = this.next()) {
      const reports = this.waiting.get(next) ?? [];
      this.waiting.delete(next);
      this.busy.add(next);
      for (const report of reports) await this.untilDone(next, report);
      this.busy.delete(next);
    }
  }

  /** The device that has waited longest, of those that nobody is at. */
  private next(): string | undefined {
    for (const deviceId of this.waiting.keys()) if (!this.busy.has(deviceId)) return deviceId;
    return undefined;
  }

  private async untilDone(deviceId: string, report: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await report();
        return;
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.log.warn({ err: error, deviceId }, 'what a device says of its firmware waits for the database');
        await sleep(PAUSE_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }
}
