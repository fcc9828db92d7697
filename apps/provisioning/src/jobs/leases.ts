import type { Clock } from '#platform';

/** Injection symbol of the name under which this process holds jobs. */
export const JOB_HOLDER = Symbol('JOB_HOLDER');

/** How long a process has a job before another one may take it over, in ms. */
const LEASE_MS = 15_000;
/** How often it says meanwhile that it still has it, in ms. */
const RENEW_MS = 5_000;

/** When a lease ends that is given or renewed now. */
export const leaseEnd = (now: Clock): Date => new Date(now() + LEASE_MS);

/** Renews a lease again and again while `work` goes on. A renewal that fails is tried again with the next one. */
export async function renewing<T>(renew: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    renew().catch(() => undefined);
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
