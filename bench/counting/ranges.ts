/** From `from` up to, but without, `to`. */
export type Range = readonly [from: number, to: number];

/** A set of integers, kept as ranges: what a run sent is one range per device, whatever the number of readings. */
export class Ranges implements Iterable<Range> {
  /** Ascending, apart from each other by at least one. */
  private readonly list: Range[] = [];

  constructor(ranges: Iterable<Range> = []) {
    for (const [from, to] of ranges) this.add(from, to);
  }

  /** How many integers are in it. */
  get size(): number {
    return this.list.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  [Symbol.iterator](): Iterator<Range> {
    return this.list.values();
  }

  /** Quick when numbers come in roughly ascending order. */
  add(from: number, to = from + 1): void {
    if (from >= to) return;
    let first = this.list.length;
    let merged: Range = [from, to];
    for (let range = this.list[first - 1]; range && range[1] >= from; range = this.list[first - 1]) {
      first -= 1;
      if (range[0] > merged[1]) continue;
      merged = [Math.min(range[0], merged[0]), Math.max(range[1], merged[1])];
    }
    const after = this.list.slice(first).filter((range) => range[0] > merged[1]);
    this.list.splice(first, this.list.length - first, merged, ...after);
  }

  /** What is in this set and not in the other. */
  minus(other: Ranges): Ranges {
    const rest = new Ranges();
    let skipped = 0;
    for (const [from, to] of this.list) {
      let start = from;
      while ((other.list[skipped]?.[1] ?? Infinity) <= from) skipped += 1;
      for (let i = skipped; start < to; i += 1) {
        const [cutFrom, cutTo] = other.list[i] ?? [to, to];
        rest.add(start, Math.min(cutFrom, to));
        start = Math.max(start, cutTo);
      }
    }
    return rest;
  }
}
