import { setTimeout as sleep } from 'node:timers/promises';
import type { SeriesPlan } from '../counting/series-plan.ts';
import { tally, type Tally } from '../counting/tally.ts';
import type { Platform } from '../platform/platform.ts';
import { Fleet } from './fleet.ts';
import { ledgerProblems } from './ledgers.ts';

/** Something that goes wrong under load. */
export interface Strike {
  /** What is hit, in the table. */
  name: string;
  /** Makes it go wrong. */
  hit(): Promise<void>;
  /** How long it stays so, ms. */
  awayMs: number;
  /** Puts it right. */
  heal(): Promise<void>;
  /** How often in a row; each time every device has receipts again before the next. */
  times: number;
  /** Must readings be acknowledged all the while? */
  goesOn: boolean;
}

/** A row of the table: readings, but for the pause and the problems. */
export interface Outcome extends Tally {
  name: string;
  acknowledgedWhileAway: number;
  resent: number;
  /** The longest that any device was without a receipt, from the hit on, in ms. */
  longestPauseMs: number;
  /** Why this is a failure; empty when nothing was lost. */
  problems: string[];
}

export interface StrikeOptions {
  platform: Platform;
  tokens: readonly string[];
  /** Load before the hit, and after the healing. */
  seconds: number;
  readingsPerSecond: number;
  now: number;
}

const DRAINED_WITHIN_MS = 60_000;

/** Strikes one after the other on one platform, each counted by itself, the ledgers over all of them. */
export class Strikes {
  private found = 0;
  private strikes = 0;

  constructor(private readonly options: StrikeOptions) {}

  async run(strike: Strike): Promise<Outcome> {
    const { platform, tokens, readingsPerSecond, seconds, now } = this.options;
    const plan = { name: `strike-${++this.strikes}`, devices: tokens.length, sensors: 4, t0: now - 3_600_000 };
    const fleet = new Fleet({
      url: platform.house.url,
      mqttUrl: platform.house.mqttUrl,
      tokens,
      plan,
      readingsPerSecond,
    });
    try {
      await fleet.start();
      await sleep(seconds * 1_000);
      fleet.watchPauses();
      const struck = await strikeUnderLoad(strike, fleet);
      await sleep(seconds * 1_000);
      const left = await fleet.finish();
      return await this.count(strike, plan, fleet, { ...struck, left });
    } finally {
      await fleet.stop();
    }
  }

  private async count(
    { name, goesOn }: Strike,
    plan: SeriesPlan,
    fleet: Fleet,
    { acknowledgedWhileAway, left, problems }: Struck & { left: number },
  ): Promise<Outcome> {
    const { platform } = this.options;
    await platform.drained(DRAINED_WITHIN_MS).catch(noticeIn(problems));
    const found = await platform.found(plan);
    const counts = tally(plan, fleet.senders, found);
    this.found += counts.found;
    const ledgers = await platform.ledgers(new Set(found.map(({ deviceId }) => deviceId)));
    const { resent, rejected, longestPauseMs } = fleet;
    problems.push(
      ...problemsOf(counts, { left, rejected, isStopped: goesOn && acknowledgedWhileAway === 0 }),
      ...ledgerProblems(ledgers, this.found),
    );
    return { name, ...counts, acknowledgedWhileAway, resent, longestPauseMs, problems };
  }
}

/** What happened between hit and healing. */
interface Struck {
  /** Readings. */
  acknowledgedWhileAway: number;
  problems: string[];
}

/** Resolves once every device has receipts again. Whatever goes wrong is a problem, after which everything is counted all the same. */
async function strikeUnderLoad(strike: Strike, fleet: Fleet): Promise<Struck> {
  const problems: string[] = [];
  const notice = noticeIn(problems);
  let acknowledgedWhileAway = 0;
  for (let time = 0; time < strike.times; time += 1) {
    await strike.hit().catch(notice);
    const before = fleet.receipts;
    await sleep(strike.awayMs);
    acknowledgedWhileAway += fleet.receipts - before;
    await strike.heal().catch(notice);
    await fleet.everybodyHasReceipts().catch(notice);
  }
  return { acknowledgedWhileAway, problems };
}

const noticeIn = (problems: string[]) => (error: unknown) => {
  problems.push(error instanceof Error ? error.message : String(error));
};

function problemsOf(
  { missing, foreign }: Tally,
  { left, rejected, isStopped }: { left: number; rejected: number; isStopped: boolean },
): string[] {
  return [
    ...(missing > 0 ? [`${missing} acknowledged readings are missing`] : []),
    ...(foreign > 0 ? [`${foreign} readings were found that were never sent`] : []),
    ...(left > 0 ? [`${left} readings never had a receipt`] : []),
    ...(rejected > 0 ? [`${rejected} readings were rejected`] : []),
    ...(isStopped ? ['nothing was acknowledged meanwhile'] : []),
  ];
}
