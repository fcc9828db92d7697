import type { Clock } from '../src/clock.ts';

interface Timer {
  at: number;
  run: () => void;
}

/** A clock that a test moves; timers run in the order of their times. */
export class FakeClock implements Clock {
  private timers: Timer[] = [];

  constructor(private time = 1_700_000_000_000) {}

  now(): number {
    return this.time;
  }

  set(time: number): void {
    this.time = time;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (let timer = this.nextBefore(end); timer; timer = this.nextBefore(end)) {
      const due = timer;
      this.timers = this.timers.filter((other) => other !== due);
      this.time = Math.max(this.time, due.at);
      due.run();
    }
    this.time = end;
  }

  /** How far away the next timer is, in milliseconds. */
  get untilNext(): number {
    return Math.min(...this.timers.map((timer) => timer.at)) - this.time;
  }

  private nextBefore(end: number): Timer | undefined {
    return this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
  }
}
