import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Jwks } from '#contracts';

/** How long keys are used before they are asked for again, in ms. */
const MAX_AGE_MS = 600_000;
/** Least time between two questions for a key that is not there, in ms: unknown key ids must not flood auth. */
const MIN_REFRESH_MS = 1_000;

/** The public keys of access tokens by key id, asked for when needed. */
export class JwksCache {
  private keys = new Map<string, KeyObject>();
  private loadedAt = Number.NEGATIVE_INFINITY;
  private loading: Promise<void> | undefined;

  constructor(
    private readonly load: () => Promise<Jwks>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Undefined if auth knows no such key. Rejects only if auth is away and no keys were ever had. */
  async get(kid: string): Promise<KeyObject | undefined> {
    const age = this.now() - this.loadedAt;
    if (age > MAX_AGE_MS || (!this.keys.has(kid) && age > MIN_REFRESH_MS)) {
      this.loading ??= this.reload().finally(() => {
        this.loading = undefined;
      });
      await this.loading;
    }
    return this.keys.get(kid);
  }

  private async reload(): Promise<void> {
    try {
      const { keys } = await this.load();
      this.keys = new Map(keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]));
    } catch (error) {
      if (this.keys.size === 0) throw error;
    }
    this.loadedAt = this.now();
  }
}
