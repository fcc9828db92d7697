import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Counter } from 'prom-client';
import { callerIdOf, CodedError, type Principal, type Rejection } from '#contracts';
import { Metrics } from '#platform';
import { RateLimit } from './rate-limit.ts';

/** How often senders that are quiet are forgotten, in ms. */
const SWEEP_MS = 30_000;

/** How much one sender may send, and what became of it, on this replica. */
@Injectable()
export class IngestLimits implements OnApplicationBootstrap, OnApplicationShutdown {
  private received = 0;
  private readonly rejected: Counter<'code'>;
  private readonly refused: Counter<'code'>;
  private sweeper: NodeJS.Timeout | undefined;

  constructor(
    @Inject(RateLimit) private readonly rateLimit: RateLimit,
    @Inject(Metrics) metrics: Metrics,
  ) {
    const registers = [metrics.registry];
    const received = new Counter({
      name: 'fieldline_readings_received_total',
      help: 'Readings that were answered with a receipt, accepted or rejected',
      registers,
      collect: () => {
        received.inc(this.received);
        this.received = 0;
      },
    });
    this.rejected = new Counter({
      name: 'fieldline_readings_rejected_total',
      help: 'Readings rejected by their index in a batch',
      labelNames: ['code'],
      registers,
    });
    this.refused = new Counter({
      name: 'fieldline_batches_refused_total',
      help: 'Batches of which nothing was accepted',
      labelNames: ['code'],
      registers,
    });
  }

  onApplicationBootstrap(): void {
    this.sweeper = setInterval(() => {
      this.rateLimit.sweep(Date.now());
    }, SWEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.sweeper);
  }

  /** Takes one message of the caller. Throws `RATE_LIMITED` with the time after which one may come. */
  take(principal: Principal): void {
    const retryAfterMs = this.rateLimit.take(callerIdOf(principal), Date.now());
    if (retryAfterMs > 0) {
      throw new CodedError(
        'RATE_LIMITED',
        `Too many messages: send again after ${String(retryAfterMs)} ms, more readings in each.`,
        {
          retryAfterMs,
        },
      );
    }
  }

  count(accepted: number, rejected: readonly Rejection[]): void {
    this.received += accepted + rejected.length;
    for (const { code } of rejected) this.rejected.inc({ code });
  }

  countRefusal(thrown: unknown): void {
    this.refused.inc({ code: thrown instanceof CodedError ? thrown.code : 'INTERNAL' });
  }
}
