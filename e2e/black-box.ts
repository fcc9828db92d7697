import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { House } from './house.ts';
import { memoryOf } from './memory.ts';
import { badReadingsAreRefused } from './parts/bad-readings.ts';
import { badRequests } from './parts/bad-requests.ts';
import { forgedTokens } from './parts/forged-tokens.ts';
import { hostileClients } from './parts/hostile-clients.ts';
import { links } from './parts/links.ts';
import { houseStands, operations } from './parts/operations.ts';
import { rateLimit } from './parts/rate-limit.ts';
import { replicas } from './parts/replicas.ts';
import { resends } from './parts/resends.ts';
import { revocation } from './parts/revocation.ts';
import { rights } from './parts/rights.ts';
import { theLine } from './parts/the-line.ts';
import { waysIn } from './parts/ways-in.ts';

/** What one service may have resident after the whole suite, in bytes. */
const RESIDENT_BYTES = 700 * 1_048_576;

jest.setTimeout(60_000);

/** Everything that is the same in every house. */
export function blackBox(house: () => House): void {
  theLine(house);
  waysIn(house);
  links(house);
  replicas(house);
  resends(house);
  rights(house);
  revocation(house);
  operations(house);

  describe('bad input', () => {
    let pids: number[];
    const pidsNow = () => Object.values(house().own?.services ?? {}).map(({ pid }) => pid);

    beforeAll(() => {
      pids = pidsNow();
    });

    badReadingsAreRefused(house);
    badRequests(house);
    forgedTokens(house);
    hostileClients(house);
    rateLimit(house);

    test('leaves every process up, with bounded memory', async () => {
      expect(pidsNow()).toEqual(pids);
      for (const service of Object.values(house().own?.services ?? {})) expect(service.running).toBe(true);
      for (const [name, bytes] of Object.entries(await memoryOf(house()))) {
        expect([name, bytes < RESIDENT_BYTES]).toEqual([name, true]);
      }
    });
  });

  houseStands(house);
}

/** A house that is started before the first test and stopped after the last one. */
export function livingIn<H extends House>(start: () => Promise<H>): () => H {
  let house: H | undefined;
  beforeAll(async () => {
    house = await start();
  }, 120_000);
  afterAll(async () => {
    await house?.stop();
  }, 60_000);
  return () => {
    if (!house) throw new Error('the house is not started yet');
    return house;
  };
}
