import { LRUCache } from 'lru-cache';
import type { Place } from '#contracts';
import { LocationFailure, type LocationProvider } from './location-provider.ts';

/** Addresses that are remembered. */
const MAX_ADDRESSES = 10_000;
/** How long an answer is believed, also that nothing is known, in ms. */
const BELIEVED_MS = 24 * 3_600_000;
/** How long a failure is taken for the answer, in ms: a service that is away or overrun is not asked by every device. */
const FAILED_MS = 30_000;

type Answer = { place: Place | null } | { failure: string };

/** Asks a provider once for each address, also when many ask at the same time. */
export class CachedLocations implements LocationProvider {
  private readonly answers = new LRUCache<string, Answer>({ max: MAX_ADDRESSES, ttl: BELIEVED_MS });
  private readonly asking = new Map<string, Promise<Answer>>();

  constructor(private readonly provider: LocationProvider) {}

  async locate(address: string): Promise<Place | null> {
    const answer = this.answers.get(address) ?? (await this.ask(address));
    if ('failure' in answer) throw new LocationFailure(answer.failure);
    return answer.place;
  }

  private ask(address: string): Promise<Answer> {
    const under = this.asking.get(address);
    if (under) return under;
    const asking = this.askProvider(address).finally(() => this.asking.delete(address));
    this.asking.set(address, asking);
    return asking;
  }

  private async askProvider(address: string): Promise<Answer> {
    try {
      const answer = { place: await this.provider.locate(address) };
      this.answers.set(address, answer);
      return answer;
    } catch (error) {
      if (!(error instanceof LocationFailure)) throw error;
      const answer = { failure: error.message };
      this.answers.set(address, answer, { ttl: FAILED_MS });
      return answer;
    }
  }
}
