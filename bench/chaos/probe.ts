import { z } from 'zod';
import { waitUntil } from '#testing';
import type { Platform } from '../platform/platform.ts';

const Problem = z.object({ code: z.string() });
const PATIENCE_MS = 30_000;
/** A device that is in no fleet, so that its readings are counted nowhere. */
const PROBE = 9_999;

/** A sender beside the fleet, that only asks. */
export async function startProbe(platform: Platform): Promise<{ refusedAsBusy: () => Promise<void> }> {
  const token = await platform.token(PROBE);
  return {
    /** Resolves once it is told to wait and try again: 503 `BUSY` with Retry-After. */
    refusedAsBusy: async () => {
      const what = 'readings are refused with BUSY';
      await waitUntil(() => isBusy(platform, token), { what, timeoutMs: PATIENCE_MS, everyMs: 100 });
    },
  };
}

async function isBusy({ house }: Platform, token: string): Promise<boolean> {
  const response = await fetch(`${house.url}/telemetry`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sensor: 'probe', value: 1 }),
  });
  if (response.status !== 503 || !response.headers.has('retry-after')) return false;
  return Problem.parse(await response.json()).code === 'BUSY';
}
