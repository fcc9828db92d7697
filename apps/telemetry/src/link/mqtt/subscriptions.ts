/** A filter as the client spelled it, and the QoS that it was granted. */
export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
}

/** What one client has subscribed to, in the order in which it did. */
export class Subscriptions {
  private readonly granted: Subscription[] = [];

  /** A filter that was there already keeps its place [MQTT-3.8.4-3]. */
  set(filter: string, qos: 0 | 1): void {
    const place = this.granted.findIndex((each) => each.filter === filter);
    if (place < 0) this.granted.push({ filter, qos });
    else this.granted[place] = { filter, qos };
  }

  /** False if there was none. */
  delete(filter: string): boolean {
    const place = this.granted.findIndex((each) => each.filter === filter);
    if (place < 0) return false;
    this.granted.splice(place, 1);
    return true;
  }

  /** The first that matches a topic. A leading slash before `device/` makes no difference. */
  matching(topic: string): Subscription | undefined {
    const levels = levelsOf(topic);
    return this.granted.find(({ filter }) => matches(levelsOf(filter), levels));
  }

  has(filter: string): boolean {
    return this.granted.some((each) => each.filter === filter);
  }
}

const levelsOf = (text: string): string[] => (text.startsWith('/device/') ? text.slice(1) : text).split('/');

/** Only `+` stands for something (MQTT 5 section 4.7.1.3): no filter with `#` is ever granted. */
const matches = (filter: readonly string[], topic: readonly string[]): boolean =>
  filter.length === topic.length && filter.every((level, index) => level === '+' || level === topic[index]);
