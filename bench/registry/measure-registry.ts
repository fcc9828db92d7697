import { join } from 'node:path';
import { freshMysqlDatabase, tempDir } from '#testing';
import { startEmbedded, startSuite, type House } from '../../e2e/house.ts';
import { provisionDebug } from '#device-sdk';
import { UNLIMITED } from '../platform/embedded.ts';
import { atLeast, type Figure } from '../report/figure.ts';
import { fillRegistry, macOf, rawInsertRate } from './database.ts';
import { importRate } from './import-rate.ts';
import { listTimes } from './million.ts';
import { twoStepRate } from './two-step-rate.ts';
import { verifyRates, type Registry } from './verify-rate.ts';

const IMPORTED = 100_000;
/** Devices whose tokens are verified. */
const TOKENS = 500;

const ENVIRONMENT = { ...UNLIMITED, PROVISIONING_RATE: '10000000' };

export interface RegistryOptions {
  /** Devices that are there when lists and searches are measured. */
  devices: number;
  seconds: number;
  now: number;
  progress: (what: string) => void;
}

/** One way to run Fieldline, as far as devices are kept. */
interface RegistryMode {
  name: string;
  house: House;
  /** Rows a second of multi-row INSERTs alone, into a table like the registry's. */
  rawInserts: number;
  registry: Registry;
}

export async function measureEmbeddedRegistry(options: RegistryOptions): Promise<Figure[]> {
  const { path: dataDir } = await tempDir();
  const databaseUrl = `file:${join(dataDir, 'registry.db')}`;
  const start = () => startEmbedded({ environment: ENVIRONMENT, dataDir });
  const rawInserts = await rawInsertRate(`file:${join(dataDir, 'raw.db')}`, IMPORTED, options.now);
  const house = await start();
  const figures = await measure({ name: 'embedded', house, rawInserts, registry: { databaseUrl } }, options);
  await house.stop();
  options.progress(`embedded: ${String(options.devices)} devices, lists and searches`);
  await fillRegistry(databaseUrl, options.devices, options.now);
  const full = { ...(await start()), admin: house.admin };
  const lists = await listFigures('embedded', full, options.devices);
  await full.stop();
  return [...figures, ...lists];
}

export async function measureServersRegistry(options: RegistryOptions): Promise<Figure[]> {
  const house = await startSuite(ENVIRONMENT);
  try {
    const { url: empty } = await freshMysqlDatabase(house.servers.mysql.url);
    const rawInserts = await rawInsertRate(empty, IMPORTED, options.now);
    const registry = { natsUrl: house.servers.nats.url };
    const figures = await measure({ name: 'servers', house, rawInserts, registry }, options);
    options.progress(`servers: ${String(options.devices)} devices, lists and searches`);
    await fillRegistry(house.registryDatabase, options.devices, options.now);
    return [...figures, ...(await listFigures('servers', house, options.devices))];
  } finally {
    await house.stop();
  }
}

async function measure(mode: RegistryMode, { seconds, progress }: RegistryOptions): Promise<Figure[]> {
  const { name, house, rawInserts, registry } = mode;
  const figure = (what: string, value: number) => ({ mode: name, what, value, unit: '/s' });
  progress(`${name}: import of ${String(IMPORTED)} devices`);
  const imported = await importRate(house, IMPORTED);
  progress(`${name}: two steps`);
  const twoSteps = await twoStepRate(house, seconds);
  progress(`${name}: credentials`);
  const tokens = [];
  for (let number = 0; number < TOKENS; number += 1) {
    tokens.push(await provisionDebug({ url: house.url, macAddress: macOf(number).replace('02:B0', '02:B1') }));
  }
  const { asked, believed } = await verifyRates(registry, tokens, seconds);
  return [
    atLeast(figure(`devices imported, of ${String(IMPORTED)}`, imported), 0.2, {
      what: 'raw insert',
      value: rawInserts,
    }),
    figure('devices that register and activate', twoSteps),
    { ...figure('credentials verified, believed', believed), beside: { what: 'asked', value: asked } },
  ];
}

async function listFigures(mode: string, house: House, devices: number): Promise<Figure[]> {
  const { pages, searches } = await listTimes(house, devices);
  const figure = (what: string, value: number): Figure => ({ mode, what, value, unit: 'ms' });
  return [
    figure(`a page of 100 of ${String(devices)} devices, p50`, pages.p50),
    figure(`a page of 100 of ${String(devices)} devices, p99`, pages.p99),
    figure(`a search among ${String(devices)} devices, p50`, searches.p50),
    figure(`a search among ${String(devices)} devices, p99`, searches.p99),
  ];
}
