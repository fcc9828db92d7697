/** A bucket that refills steadily: one second's worth may come at once. */
interface Bucket {
  tokens: number;
  filledAt: number;
}

/** How many messages a sender may send, on this replica. The clock is an argument. */
export class RateLimit {
  private readonly buckets = new Map<string, Bucket>();

  /** `perSecond` is also the size of a burst; Infinity switches the limit off. */
  constructor(private readonly perSecond: number) {}

  /** Takes one message of the sender; 0 if it may pass, otherwise the milliseconds after which one may. */
  take(sender: string, now: number): number {
    if (this.perSecond === Number.POSITIVE_INFINITY) return 0;
    const bucket = this.bucketOf(sender, now);
    const refilled = bucket.tokens + ((now - bucket.filledAt) * this.perSecond) / 1000;
    bucket.tokens = Math.min(this.perSecond, refilled);
    bucket.filledAt = now;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) * 1000) / this.perSecond);
  }

  /** Forgets senders whose bucket is full again. */
  sweep(now: number): void {
    for (const [sender, { tokens, filledAt }] of this.buckets) {
      if (tokens + ((now - filledAt) * this.perSecond) / 1000 >= this.perSecond) this.buckets.delete(sender);
    }
  }

  private bucketOf(sender: string, now: number): Bucket {
    let bucket = this.buckets.get(sender);
    if (!bucket) {
      bucket = { tokens: this.perSecond, filledAt: now };
      this.buckets.set(sender, bucket);
    }
    return bucket;
  }
}
