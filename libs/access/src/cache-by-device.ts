import { LRUCache } from 'lru-cache';
import { upTo } from '#platform';

/** In place of the id of a device: any of them may have changed. */
const ALL = '*';

/**
 * Answers of the registry that are believed for a while, each about one device: when a device changes, what is known of it goes, and
 * what is just being asked for is asked for again. The changes of other devices cost it nothing.
 */
export class CacheByDevice<V extends object> {
  private readonly answers: LRUCache<string, V>;
  private readonly keysOf = new Map<string, Set<string>>();
  /** For each question on its way, the devices that changed meanwhile. */
  private readonly asking = new Set<Set<string>>();

  /** @param deviceOf The id of the device that an answer is about. */
  constructor(
    { max, ttl }: { max: number; ttl: number },
    private readonly deviceOf: (answer: V) => string,
  ) {
    this.answers = new LRUCache<string, V>({
      ...upTo(max),
      ttl,
      noDisposeOnSet: true,
      dispose: (answer, key) => {
        this.unlist(deviceOf(answer), key);
      },
    });
  }

  /** What is known; else the answer to the question, which is kept. Rejects as `ask` does: refusals are not kept. */
  async get(key: string, ask: () => Promise<V>): Promise<V> {
    return this.answers.get(key) ?? (await this.ask(key, ask));
  }

  /** The device has changed: forgets what is known of it, or only the answers that match. */
  forget(deviceId: string, matches: (answer: V) => boolean = () => true): void {
    for (const changed of this.asking) changed.add(deviceId);
    for (const key of [...(this.keysOf.get(deviceId) ?? [])]) {
      const answer = this.answers.peek(key, { allowStale: true });
      if (!answer || matches(answer)) this.answers.delete(key);
    }
  }

  /** Changes may have been missed. */
  forgetAll(): void {
    for (const changed of this.asking) changed.add(ALL);
    this.answers.clear();
  }

  private async ask(key: string, ask: () => Promise<V>): Promise<V> {
    const changed = new Set<string>();
    this.asking.add(changed);
    try {
      const answer = await ask();
      const device = this.deviceOf(answer);
      if (changed.has(device) || changed.has(ALL)) return await this.ask(key, ask);
      this.list(device, key);
      this.answers.set(key, answer);
      return answer;
    } finally {
      this.asking.delete(changed);
    }
  }

  private list(deviceId: string, key: string): void {
    const keys = this.keysOf.get(deviceId);
    if (keys) keys.add(key);
    else this.keysOf.set(deviceId, new Set([key]));
  }

  private unlist(deviceId: string, key: string): void {
    const keys = this.keysOf.get(deviceId);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOf.delete(deviceId);
  }
}
