import type { Log } from '#platform';
import type { Bus, Unsubscribe } from './bus.ts';
import { subjectMatches } from './subject.ts';

interface Subscription {
  pattern: string;
  hear: (payload: string, subject: string) => void;
}

/** The bus of a process that is alone. */
export class InProcessBus implements Bus {
  readonly connected = true;
  private readonly exact = new Map<string, Set<Subscription>>();
  private readonly wild = new Set<Subscription>();

  constructor(private readonly log: Log) {}

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  reaches(subject: string): boolean {
    if (this.exact.has(subject)) return true;
    for (const { pattern } of this.wild) if (subjectMatches(pattern, subject)) return true;
    return false;
  }

  publish(subject: string, payload: string): void {
    const listeners = [...(this.exact.get(subject) ?? [])];
    for (const subscription of this.wild)
      if (subjectMatches(subscription.pattern, subject)) listeners.push(subscription);
    if (listeners.length > 0)
      setImmediate(() => {
        this.deliver(listeners, subject, payload);
      });
  }

  subscribe(pattern: string, hear: Subscription['hear']): Unsubscribe {
    const subscription = { pattern, hear };
    const wild = /(?:^|\.)[*>](?:\.|$)/.test(pattern);
    const group = wild ? this.wild : (this.exact.get(pattern) ?? new Set());
    group.add(subscription);
    if (!wild) this.exact.set(pattern, group);
    return () => {
      group.delete(subscription);
      if (!wild && group.size === 0) this.exact.delete(pattern);
    };
  }

  onReconnect(): void {}

  private deliver(listeners: readonly Subscription[], subject: string, payload: string): void {
    for (const { hear } of listeners) {
      try {
        hear(payload, subject);
      } catch (error) {
        this.log.error({ err: error, subject }, 'a listener failed');
      }
    }
  }
}
