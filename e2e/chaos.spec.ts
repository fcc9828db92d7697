import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '#testing';
import { diskFull, processStrikes } from '../bench/chaos/embedded-strikes.ts';
import { serverStrikes, SHORT_STRIKES } from '../bench/chaos/server-strikes.ts';
import { mountSmallDisk } from '../bench/chaos/small-disk.ts';
import { Strikes, type Strike } from '../bench/chaos/strike.ts';
import { startEmbeddedPlatform } from '../bench/platform/embedded.ts';
import type { Platform } from '../bench/platform/platform.ts';
import { startServersPlatform } from '../bench/platform/servers.ts';
import type { EmbeddedHouse, SuiteHouse } from './house.ts';

const DEVICES = 10;
const READINGS_PER_SECOND = 200;
const DISK_MIB = 256;
const PATIENCE_MS = 180_000;
/** Mounting a disk that can be filled needs root. */
const testAsRoot = process.getuid?.() === 0 ? test : test.skip;

async function strikesOn(platform: Platform): Promise<Strikes> {
  const tokens = await platform.tokens(DEVICES);
  return new Strikes({ platform, tokens, seconds: 0.5, readingsPerSecond: READINGS_PER_SECOND, now: Date.now() });
}

/** Everything acknowledged is found, once, and the ledgers say so too. */
async function expectNothingLost(run: Strikes, strike: Strike | undefined): Promise<void> {
  if (!strike) throw new Error('there is no such strike');
  const outcome = await run.run(strike);
  expect(outcome).toMatchObject({ missing: 0, foreign: 0, problems: [] });
  expect(outcome.acknowledged).toBeGreaterThan(0);
  expect(outcome.found).toBe(outcome.acknowledged);
}

describe('under load, the embedded mode loses nothing that it acknowledged', () => {
  let platform: Platform<EmbeddedHouse>;
  let run: Strikes;

  beforeAll(async () => {
    platform = await startEmbeddedPlatform();
    run = await strikesOn(platform);
  }, PATIENCE_MS);

  afterAll(() => platform.stop());

  test('by kill -9', () => expectNothingLost(run, processStrikes(platform)[0]), PATIENCE_MS);

  test('by SIGTERM', () => expectNothingLost(run, processStrikes(platform)[1]), PATIENCE_MS);
});

testAsRoot(
  'a full disk is answered with BUSY, and nothing that was acknowledged is lost by it',
  async () => {
    const disk = await mountSmallDisk(DISK_MIB);
    if (!disk) throw new Error('no disk could be mounted');
    const platform = await startEmbeddedPlatform(disk.path);
    try {
      await expectNothingLost(await strikesOn(platform), diskFull(platform, disk));
    } finally {
      await platform.stop();
      await disk.remove();
    }
  },
  PATIENCE_MS,
);

describeWith(['own-mysql', 'own-mongodb', 'own-nats', 'nginx'], 'under load, the services lose nothing', () => {
  let platform: Platform<SuiteHouse>;
  let run: Strikes;

  beforeAll(async () => {
    platform = await startServersPlatform();
    run = await strikesOn(platform);
  }, PATIENCE_MS);

  afterAll(() => platform.stop());

  test.each(SHORT_STRIKES)(
    'by %s',
    (name) =>
      expectNothingLost(
        run,
        serverStrikes(platform).find((strike) => strike.name === name),
      ),
    PATIENCE_MS,
  );
});
