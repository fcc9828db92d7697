import { setTimeout as sleep } from 'node:timers/promises';
import { percentiles } from './latency.ts';
import { LoadSpec, type LoadResult } from './load-spec.ts';
import { loadFor } from './phase.ts';
import { Senders } from './senders.ts';

/** How long receipts may take to come after the load, in ms. */
const PATIENCE_MS = 30_000;

/** A load generator: a process of its own, so that it has a CPU of its own and starts every run alike. */
async function main(spec: LoadSpec): Promise<LoadResult> {
  const senders = new Senders(spec);
  await senders.connect();
  if (spec.warmupSeconds > 0) await loadFor(spec.warmupSeconds, spec, senders);
  if (spec.pauseSeconds > 0) await answered(senders).then(() => sleep(spec.pauseSeconds * 1_000));
  const { startedAt, seconds, messages, latencies } = await loadFor(spec.seconds, spec, senders);
  await answered(senders);
  senders.disconnect();
  return {
    sent: senders.sent.map((ranges) => [...ranges].map(([from, to]) => [from, to])),
    acknowledged: senders.acknowledged.map((ranges) => [...ranges].map(([from, to]) => [from, to])),
    window: { startedAt, seconds, messages, readings: messages * spec.batch },
    latency: percentiles(latencies),
    refused: senders.refused,
    rejected: senders.rejected,
    unanswered: senders.waiting,
  };
}

async function answered(senders: Senders): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (senders.waiting > 0 && Date.now() < deadline) await sleep(2);
}

const result = await main(LoadSpec.parse(JSON.parse(process.argv[2] ?? '')));
process.stdout.write(JSON.stringify(result), () => process.exit(0));
