import { Ranges } from '../counting/ranges.ts';
import type { SeriesPlan } from '../counting/series-plan.ts';
import { isSound, tally, type Sent, type Tally } from '../counting/tally.ts';
import type { LoadResult, LoadSpec } from '../load/load-spec.ts';
import { runLoad } from '../load/run-load.ts';
import type { Platform } from '../platform/platform.ts';

/** How a load sends. */
export type LoadShape = Pick<
  LoadSpec,
  'sockets' | 'batch' | 'inFlight' | 'perSecond' | 'warmupSeconds' | 'pauseSeconds' | 'seconds'
>;

/** Runs loads of one plan, one after the other, each going on where the one before ended, and remembers all receipts. */
export class LoadRunner {
  private readonly senders: (Sent & { next: number })[];

  constructor(
    readonly plan: SeriesPlan,
    private readonly tokens: string[],
  ) {
    this.senders = tokens.map(() => ({ sent: new Ranges(), acknowledged: new Ranges(), next: 0 }));
  }

  /** @throws Error when a message was rejected or not answered: then nothing that was measured means anything. */
  async run(url: string, shape: LoadShape): Promise<LoadResult> {
    const { plan, tokens } = this;
    const result = await runLoad({ ...shape, url, plan, tokens, from: this.senders.map(({ next }) => next) });
    this.senders.forEach((sender, device) => remember(sender, result, device));
    if (result.rejected > 0 || result.unanswered > 0) {
      throw new Error(`${url}: ${result.rejected} readings rejected, ${result.unanswered} messages without an answer`);
    }
    return result;
  }

  /** Compares all receipts so far with what the platform has. */
  async check(platform: Platform): Promise<Tally> {
    const result = tally(this.plan, this.senders, await platform.found(this.plan));
    if (!isSound(result)) throw new UnsoundError(platform.name, result);
    return result;
  }
}

/** Something acknowledged is missing, or something is there that nobody sent. */
export class UnsoundError extends Error {
  constructor(where: string, { acknowledged, found, missing, foreign }: Tally) {
    super(`${where}: ${acknowledged} acknowledged, ${found} found, ${missing} missing, ${foreign} never sent`);
  }
}

function remember(sender: Sent & { next: number }, result: LoadResult, device: number): void {
  for (const [from, to] of result.sent[device] ?? []) {
    sender.sent.add(from, to);
    sender.next = Math.max(sender.next, to);
  }
  for (const [from, to] of result.acknowledged[device] ?? []) sender.acknowledged.add(from, to);
}
