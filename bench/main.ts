import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { measureMode } from './measure/measure-mode.ts';
import { soak } from './measure/soak.ts';
import { measureStartup } from './measure/startup.ts';
import { measureEmbeddedMqtt, measureServersMqtt } from './mqtt/measure-mqtt.ts';
import { measureEmbeddedRegistry, measureServersRegistry } from './registry/measure-registry.ts';
import { embeddedYardsticks, serversYardsticks } from './measure/yardsticks.ts';
import { readOptions, USAGE, type BenchOptions } from './options.ts';
import { startEmbeddedPlatform } from './platform/embedded.ts';
import { startServersPlatform } from './platform/servers.ts';
import type { Figure } from './report/figure.ts';
import { figureTable } from './report/table.ts';

const EMBEDDED_STORED_AIM = 200_000;

const progress = (what: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
};

async function embedded({ seconds, rounds }: BenchOptions, now: number): Promise<Figure[]> {
  progress('embedded: the parts alone and the naive design');
  const { yardsticks, figures } = await embeddedYardsticks(seconds, now);
  const platform = await startEmbeddedPlatform();
  const storedAim = { rate: EMBEDDED_STORED_AIM, text: `>= ${EMBEDDED_STORED_AIM.toLocaleString('en-US')} /s` };
  try {
    const measured = await measureMode({ platform, seconds, rounds, yardsticks, storedAim, now, progress });
    return [...measured, ...figures];
  } finally {
    await platform.stop();
  }
}

async function servers({ seconds, rounds }: BenchOptions, now: number): Promise<Figure[]> {
  const platform = await startServersPlatform();
  try {
    progress('servers: the parts alone and the naive design');
    const { mongodb, nats } = platform.house.servers;
    const urls = { mongodb: `${mongodb.url}/yardsticks`, nats: nats.url };
    const { yardsticks, figures } = await serversYardsticks(urls, seconds, now);
    const storedAim = { rate: yardsticks.rawMany / 2, text: '>= 50 %' };
    const measured = await measureMode({ platform, seconds, rounds, yardsticks, storedAim, now, progress });
    return [...measured, ...figures];
  } finally {
    await platform.stop();
  }
}

async function measure(options: BenchOptions, now: number): Promise<Figure[]> {
  if (options.startup) return measureStartup();
  if (options.soak !== undefined) return soak(options.soak, now, progress);
  const isOneNamed = options.registry || options.mqtt;
  const [readings, registry, mqtt] = [!isOneNamed, options.registry || !isOneNamed, options.mqtt || !isOneNamed];
  const common = { ...options, now, progress };
  return [
    ...(options.embedded && readings ? await embedded(options, now) : []),
    ...(options.embedded && mqtt ? await measureEmbeddedMqtt(common) : []),
    ...(options.embedded && registry ? await measureEmbeddedRegistry(common) : []),
    ...(options.servers && readings ? await servers(options, now) : []),
    ...(options.servers && mqtt ? await measureServersMqtt(common) : []),
    ...(options.servers && registry ? await measureServersRegistry(common) : []),
  ];
}

function print(figures: readonly Figure[], machine: string): void {
  process.stdout.write(`${machine}\n`);
  for (const mode of new Set(figures.map((figure) => figure.mode))) {
    process.stdout.write(`\n${mode}\n\n${figureTable(figures.filter((figure) => figure.mode === mode))}\n`);
  }
}

async function main(options: BenchOptions): Promise<void> {
  const now = Date.now();
  const [cpu] = cpus();
  const machine = `${cpus().length} x ${cpu?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${new Date(now).toISOString()}`;
  const figures = await measure(options, now);
  print(figures, machine);
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ machine, options, figures }, null, 2)}\n`);
}

function optionsOrExit(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

await main(optionsOrExit()).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
