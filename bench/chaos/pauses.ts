/** Notices how long somebody waited between two receipts. */
export class Pauses {
  /** The longest pause that ended since the last `begin`, ms. */
  longestMs = 0;
  /** Time of the newest receipt, ms; undefined before the first. */
  last: number | undefined;

  /** From here on; a pause that is under way counts from its own beginning. */
  begin(): void {
    this.longestMs = 0;
  }

  receipt(at: number): void {
    if (this.last !== undefined) this.longestMs = Math.max(this.longestMs, at - this.last);
    this.last = at;
  }
}
