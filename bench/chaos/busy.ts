import { z } from 'zod';
import { waitUntil } from '#testing';
import type { Platform } from '../platform/platform.ts';

const Problem = z.object({ code: z.string() });
const PATIENCE_MS = 30_000;
/** A device that is in no fleet, so that its readings are counted nowhere. */
const PROBE = 9_999;

/** Resolves once a sender is told to wait and try again: 503 `BUSY` with Retry-After. */
export async function refusesAsBusy(platform: Platform): Promise<void> {
  const token = await platform.token(PROBE);
  const isBusy = async () => {
    const response = await fetch(`${platform.house.url}/telemetry`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sensor: 'probe', value: 1 }),
    });
    const { code } = Problem.parse(await response.json());
    return response.status === 503 && code === 'BUSY' && response.headers.has('retry-after');
  };
  await waitUntil(isBusy, { what: 'readings are refused with BUSY', timeoutMs: PATIENCE_MS, everyMs: 100 });
}
