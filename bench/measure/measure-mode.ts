import { startBaseline } from '../baselines/start-baseline.ts';
import type { Platform } from '../platform/platform.ts';
import { memoryOf } from '../platform/memory.ts';
import { atLeast, type Figure } from '../report/figure.ts';
import { LoadRunner } from './load-runner.ts';
import { duel, receiptTimes, storedRate } from './rates.ts';
import { batches, burst, fewSeries, manySeries, paced, singles } from './shapes.ts';

const BURST_SECONDS = 1.5;

export interface ModeOptions {
  platform: Platform;
  /** Measured seconds of each run. */
  seconds: number;
  /** Turns of the platform and the empty handler. */
  rounds: number;
  /** What the rates are held against; measured with nothing else running. */
  yardsticks: Yardsticks;
  /** Stored readings a second that are aimed at. */
  storedAim: { rate: number; text: string };
  now: number;
  progress: (what: string) => void;
}

export interface Yardsticks {
  /** Singles a second that the naive design stores. */
  naive: number;
  /** Rows a second that the store takes from a bulk insert alone, with 4,000 and 16 series. */
  rawMany: number;
  rawFew: number;
}

/** Everything that is measured of one way to run Fieldline. */
export async function measureMode(options: ModeOptions): Promise<Figure[]> {
  const { platform, seconds, rounds, yardsticks, storedAim, now, progress } = options;
  const figure = (what: string, value: number, unit = '/s'): Figure => ({ mode: platform.name, what, value, unit });
  const naive = { what: 'naive', value: yardsticks.naive };

  const tokens = await platform.tokens(50);
  const many = new LoadRunner(manySeries(now), tokens);
  const few = new LoadRunner(fewSeries(now), tokens.slice(0, 16));
  const baseline = await startBaseline('empty-handler');
  const empty = { url: baseline.url, load: new LoadRunner(manySeries(now), tokens) };

  progress('single readings');
  const single = await duel(platform, many, empty, singles(seconds), rounds);
  progress('bursts of batches');
  const bursts = await duel(platform, many, empty, burst(BURST_SECONDS), rounds);
  progress('sustained batches, 4,000 series');
  const storedMany = await storedRate(platform, many, batches(seconds));
  progress('sustained batches, 16 series');
  const storedFew = await storedRate(platform, few, batches(seconds));
  progress('receipts at half load');
  const singleTimes = await receiptTimes(platform, many, paced(singles(seconds), single.platform / 2));
  const batchTimes = await receiptTimes(platform, many, paced(batches(seconds), storedMany / 50 / 2));
  const memory = await memoryOf(platform.pids);
  await baseline.process.stop();

  return [
    atLeast(figure('single readings acknowledged', single.platform), 0.8, { what: 'empty', value: single.empty }),
    atLeast(figure('single readings acknowledged', single.platform), 10, naive),
    atLeast(figure('burst of batches of 50, readings acknowledged', bursts.platform), 0.5, {
      what: 'empty',
      value: bursts.empty,
    }),
    {
      ...figure('readings stored in batches of 50, 4,000 series', storedMany),
      beside: { what: 'raw insert', value: yardsticks.rawMany },
      aim: { text: storedAim.text, met: storedMany >= storedAim.rate },
    },
    atLeast(figure('readings stored in batches of 50, 4,000 series', storedMany), 10, naive),
    {
      ...figure('readings stored in batches of 50, 16 series', storedFew),
      beside: { what: 'raw insert', value: yardsticks.rawFew },
    },
    figure('receipt of a single at half that load, p50', singleTimes.p50, 'ms'),
    figure('receipt of a single at half that load, p99', singleTimes.p99, 'ms'),
    figure('receipt of a batch at half that load, p50', batchTimes.p50, 'ms'),
    figure('receipt of a batch at half that load, p99', batchTimes.p99, 'ms'),
    figure('memory of the processes that take in and write, after it all', memory.now, 'MiB'),
    figure('memory of the processes that take in and write, highest', memory.highest, 'MiB'),
  ];
}
