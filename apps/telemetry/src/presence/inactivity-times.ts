import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { RpcClient } from '#messaging';
import { LOGGER, upTo, type Log } from '#platform';

/** How long a device may be silent unless its profile says otherwise, in ms. */
const DEFAULT_MS = 600_000;
/** How long what a profile says is believed, in ms. */
const BELIEVED_MS = 60_000;
const MAX_PROFILES = 10_000;

/** For how long devices may be silent and still count as online: their profiles say it. */
@Injectable()
export class InactivityTimes {
  private readonly times = new LRUCache<string, number>({ ...upTo(MAX_PROFILES), ttl: BELIEVED_MS, allowStale: true });
  private readonly asking = new Set<string>();

  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  /** In ms, as far as is known by now: the registry is asked meanwhile. */
  of(profileId: string | null): number {
    if (profileId === null) return DEFAULT_MS;
    const isFresh = this.times.getRemainingTTL(profileId) > 0;
    const known = this.times.get(profileId);
    if (!isFresh) void this.ask(profileId, known ?? DEFAULT_MS);
    return known ?? DEFAULT_MS;
  }

  private async ask(id: string, until: number): Promise<void> {
    if (this.asking.has(id)) return;
    this.asking.add(id);
    this.times.set(id, until);
    try {
      const profile = await this.rpc.call('registry.profiles.get', { id });
      this.times.set(id, (profile?.inactivitySeconds ?? DEFAULT_MS / 1_000) * 1_000);
    } catch (error) {
      this.log.debug({ err: error, profile: id }, 'a profile could not be asked for');
    } finally {
      this.asking.delete(id);
    }
  }
}
