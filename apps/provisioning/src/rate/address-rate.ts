import { LRUCache } from 'lru-cache';
import { CodedError } from '#contracts';
import { networkOf, upTo } from '#platform';

const MINUTE_MS = 60_000;
/** Addresses that are remembered; one that was not heard of for longest is forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** A token bucket for each address: `perMinute` at once, refilled evenly within a minute. */
export class AddressRate {
  private readonly buckets = new LRUCache<string, Bucket>(upTo(MAX_ADDRESSES));

  constructor(
    private readonly perMinute: number,
    private readonly now: () => number,
  ) {}

  /** Takes one; 0 if there was one, else the milliseconds until there is. */
  take(address: string): number {
    const key = networkOf(address);
    const now = this.now();
    const tokens = this.tokensOf(this.buckets.get(key), now);
    if (tokens < 1) return Math.ceil(((1 - tokens) * MINUTE_MS) / this.perMinute);
    this.buckets.set(key, { tokens: tokens - 1, filledAt: now });
    return 0;
  }

  /** Takes one. Throws `RATE_LIMITED`. */
  require(address: string): void {
    const waitMs = this.take(address);
    if (waitMs === 0) return;
    throw new CodedError(
      'RATE_LIMITED',
      `Too many provisionings from this address: try again in ${String(waitMs)} ms, or raise PROVISIONING_RATE.`,
      { retryAfterMs: waitMs },
    );
  }

  private tokensOf(bucket: Bucket | undefined, now: number): number {
    if (!bucket) return this.perMinute;
    const refilled = ((now - bucket.filledAt) * this.perMinute) / MINUTE_MS;
    return Math.min(this.perMinute, bucket.tokens + refilled);
  }
}
