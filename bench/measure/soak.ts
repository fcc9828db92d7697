import { startEmbeddedPlatform } from '../platform/embedded.ts';
import { memoryOf } from '../platform/memory.ts';
import type { Platform } from '../platform/platform.ts';
import type { Figure } from '../report/figure.ts';
import { LoadRunner } from './load-runner.ts';
import { mean, storedRate } from './rates.ts';
import { batches, manySeries, paced } from './shapes.ts';
import { slope } from './slope.ts';

const SAMPLE_MS = 1_000;
const PEAK_SECONDS = 5;
/** The slope leaves out the first minutes, in which caches fill. */
const SETTLING_MINUTES = 2;

interface Sample {
  minute: number;
  mib: number;
}

/** Memory of the embedded mode under half of its peak rate of batches, minute by minute, and whether it grows. */
export async function soak(minutes: number, now: number, progress: (what: string) => void): Promise<Figure[]> {
  const platform = await startEmbeddedPlatform();
  try {
    const load = new LoadRunner(manySeries(now), await platform.tokens(50));
    progress('peak rate');
    const peak = await storedRate(platform, load, batches(PEAK_SECONDS));
    progress(`${minutes} minutes at half of ${Math.round(peak)} readings/s`);
    const sampler = sampleMemory(platform);
    const result = await load.run(platform.directUrl, paced(batches(minutes * 60), peak / 50 / 2));
    const samples = sampler.stop();
    await platform.drained();
    await load.check(platform);
    const figure = (what: string, value: number, unit: string): Figure => ({ mode: 'embedded', what, value, unit });
    return [
      figure('readings acknowledged', result.window.readings / result.window.seconds, '/s'),
      figure('receipt of a batch, p99', result.latency.p99, 'ms'),
      ...byMinute(samples).map((mib, minute) => figure(`memory, minute ${minute + 1}`, mib, 'MiB')),
      ...(minutes > SETTLING_MINUTES
        ? [figure(`memory grows, from minute ${SETTLING_MINUTES} on`, growth(samples), 'MiB/min')]
        : []),
    ];
  } finally {
    await platform.stop();
  }
}

function sampleMemory(platform: Platform): { stop: () => Sample[] } {
  const samples: Sample[] = [];
  const start = performance.now();
  const timer = setInterval(() => {
    void memoryOf(platform.pids).then(({ now }) =>
      samples.push({ minute: (performance.now() - start) / 60_000, mib: now }),
    );
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return samples;
    },
  };
}

function byMinute(samples: readonly Sample[]): number[] {
  const minutes = Math.ceil(Math.max(0, ...samples.map(({ minute }) => minute)));
  return Array.from({ length: minutes }, (_, i) =>
    mean(samples.filter(({ minute }) => Math.floor(minute) === i).map(({ mib }) => mib)),
  );
}

const growth = (samples: readonly Sample[]): number =>
  slope(samples.filter(({ minute }) => minute >= SETTLING_MINUTES).map(({ minute, mib }) => [minute, mib]));
