import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBaseline, type Baseline } from '../baselines/start-baseline.ts';
import { jetstreamPublishes } from '../ceilings/jetstream.ts';
import { mongodbInserts } from '../ceilings/mongodb.ts';
import { sqliteAppends, sqliteInserts } from '../ceilings/sqlite.ts';
import type { Figure } from '../report/figure.ts';
import { LoadRunner } from './load-runner.ts';
import type { Yardsticks } from './measure-mode.ts';
import { manySeries, singles } from './shapes.ts';

const MANY = 4_000;
const FEW = 16;

/** Rates of the parts alone and of the naive design, each measured with nothing else running. */
export interface Measured {
  yardsticks: Yardsticks;
  figures: Figure[];
}

export async function embeddedYardsticks(seconds: number, now: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldline-bench-'));
  try {
    const rawMany = sqliteInserts(folder, { series: MANY, seconds });
    const rawFew = sqliteInserts(folder, { series: FEW, seconds });
    const append = sqliteAppends(folder, { seconds });
    const naive = await naiveRate(await startBaseline('naive-sqlite', [join(folder, 'naive.db')]), seconds, now);
    return {
      yardsticks: { naive, rawMany, rawFew },
      figures: [
        figure('embedded', 'naive: one TypeORM save per event, readings stored', naive),
        figure('embedded', 'raw: SQLite bulk insert, 4,000 series', rawMany),
        figure('embedded', 'raw: SQLite bulk insert, 16 series', rawFew),
        figure('embedded', 'raw: SQLite synced appends of 80 readings', append),
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param urls MongoDB with a database, and NATS. */
export async function serversYardsticks(
  urls: { mongodb: string; nats: string },
  seconds: number,
  now: number,
): Promise<Measured> {
  const rawMany = await mongodbInserts(urls.mongodb, { series: MANY, seconds });
  const rawFew = await mongodbInserts(urls.mongodb, { series: FEW, seconds });
  const { singles: publishes, groups } = await jetstreamPublishes(urls.nats, { seconds });
  const naive = await naiveRate(await startBaseline('naive-mongodb', [urls.mongodb]), seconds, now);
  return {
    yardsticks: { naive, rawMany, rawFew },
    figures: [
      figure('servers', 'naive: one mongoose save per event, readings stored', naive),
      figure('servers', 'raw: MongoDB bulk insert, 4,000 series', rawMany),
      figure('servers', 'raw: MongoDB bulk insert, 16 series', rawFew),
      figure('servers', 'raw: JetStream publishes of one reading', publishes),
      figure('servers', 'raw: JetStream publishes of 80 readings', groups),
    ],
  };
}

async function naiveRate({ url, process }: Baseline, seconds: number, now: number): Promise<number> {
  const plan = manySeries(now);
  const load = new LoadRunner(
    plan,
    Array.from({ length: plan.devices }, () => 'none is asked for'),
  );
  const { window } = await load.run(url, singles(seconds));
  await process.stop();
  if (window.messages === 0) throw new Error('the naive design stored nothing in time: measure longer, with --seconds');
  return window.readings / window.seconds;
}

const figure = (mode: string, what: string, value: number): Figure => ({ mode, what, value, unit: '/s' });
